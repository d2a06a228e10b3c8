"""How a transcript is answered over a wire: one renderer for the server and the RunPod workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diarist.model.transcript import Transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How an answer is written.

    Attributes:
        response_format: as `diarist.server.ask.Ask` has it.
        words: whether words with times are wanted.
        segments: whether segments are.
        details: whether speakers were asked for, so that words and segments of ``verbose_json`` say theirs.
        logprobs: whether each word's log probability is wanted.
        known: names that were given, heard or not; no letter for an unknown voice is one of them.
        text_speakers: whether ``text`` says who talks.
    """

    response_format: str = "json"
    words: bool = False
    segments: bool = False
    details: bool = False
    logprobs: bool = False
    known: frozenset[str] = frozenset()
    text_speakers: bool = False


def answer(transcript: Transcript, shape: Shape, *, name: str = "recording") -> dict[str, Any] | str | bytes:
    """Write a transcript as asked: a document for JSON, else text, or bytes where the format is binary."""
    raise NotImplementedError


def body(transcript: Transcript, shape: Shape, *, name: str = "recording") -> bytes:
    """The bytes of an HTTP answer; `content_type` says what they are."""
    raise NotImplementedError


def content_type(response_format: str) -> str:
    """What ``Content-Type`` an answer has."""
    raise NotImplementedError
