"""What every result can do: show itself in one line, travel, be a dict, and hold its evidence without spreading it."""

import copy
import dataclasses
import json
import pickle

import numpy as np
import pytest

from diarist.attribution import attribute
from diarist.audio.audio import Audio
from diarist.editing import Merge, Rename, apply
from diarist.formats import FORMATS, render
from diarist.model import codec
from diarist.model.transcript import (
    Diarization,
    ModelInfo,
    Segment,
    SpeakerScores,
    Transcript,
    Transcription,
    Turn,
    Word,
)
from diarist.speakers.identify import Voice

WORDS = Transcription(
    words=tuple(Word(i, i + 0.5, "secret") for i in range(1000)),
    language="en",
    duration=1000.0,
    model=ModelInfo("transcription", "w", None, "t"),
)
TURNS = Diarization(
    turns=(Turn(0, 500, "b"), Turn(500, 1000, "a")),
    exclusive=(Turn(0, 500, "b"), Turn(500, 1000, "a")),
    duration=1000.0,
    model=ModelInfo("diarization", "d", None, "t"),
    embeddings={"a": (0.0, 1.0), "b": (1.0, 0.0)},
    scores=SpeakerScores(0.5, 1.0, ("a", "b"), bytes([0, 255] * 500 + [255, 0] * 500)),
)
TRANSCRIPT = attribute(WORDS, TURNS)
VOICE = Voice(name="Ada", embedding=(0.1,) * 500, model="embedded", seconds=12.0, consent="said so", added="2026-11-25")


@pytest.mark.parametrize(
    ("noun", "shown"),
    [
        (WORDS, "<Transcription: 1000.0 s, en, 1000 words>"),
        (TURNS, "<Diarization: 1000.0 s, 2 speakers, 2 turns>"),
        (TURNS.scores, "<SpeakerScores: 2 speakers, 1000 frames of 1 s>"),
        (TRANSCRIPT, "<Transcript: 1000.0 s, en, 2 speakers, 2 segments, 1000 words>"),
        (Audio(np.zeros(32_000, np.float32)), "<Audio: 2.0 s>"),
        (VOICE, "<Voice of 'Ada': 12.0 s, embedded>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_noun_shows_itself_in_one_line_without_what_was_said(noun, shown):
    assert repr(noun) == shown


def test_one_of_a_thing_is_not_many():
    one = Transcript(
        duration=1, language=None, speakers=("A",), segments=(Segment(0, 1, "A", "Hi", ()),), turns=(), models=()
    )
    assert repr(one) == "<Transcript: 1.0 s, 1 speaker, 1 segment, 0 words>"


def test_the_evidence_speaks_of_the_transcript_s_speakers():
    assert TRANSCRIPT.speakers == ("SPEAKER_00", "SPEAKER_01")
    found = TRANSCRIPT.diarization
    assert found.embeddings == {"SPEAKER_00": (1.0, 0.0), "SPEAKER_01": (0.0, 1.0)}
    assert found.scores.speakers == ("SPEAKER_01", "SPEAKER_00")
    assert [turn.speaker for turn in (*found.turns, *found.exclusive)] == ["SPEAKER_00", "SPEAKER_01"] * 2
    assert found.turns == TRANSCRIPT.turns


def test_the_evidence_follows_new_names_and_another_clock():
    found = apply(TRANSCRIPT.shifted(60), Rename({"SPEAKER_00": "Ada"})).diarization
    assert found.embeddings["Ada"] == (1.0, 0.0)
    assert (found.turns[0].start, found.exclusive[0].start, found.scores.start) == (60, 60, 60.5)
    assert found.scores.speakers == ("SPEAKER_01", "Ada")
    assert found.duration == 1060
    both = apply(TRANSCRIPT, Merge(("SPEAKER_00", "SPEAKER_01"), "Ada")).diarization
    assert list(both.embeddings) == ["Ada"]


def test_the_evidence_is_in_no_file_and_no_comparison():
    bare = TRANSCRIPT.with_diarization(None)
    assert bare.diarization is None
    assert bare == TRANSCRIPT
    assert TRANSCRIPT.to_dict() == bare.to_dict()
    assert set(TRANSCRIPT.to_dict()) == {field.name for field in dataclasses.fields(Transcript)}
    for name in FORMATS:
        written = render(TRANSCRIPT, name)
        assert b"embedding" not in (written if isinstance(written, bytes) else written.encode())
    # What is changed by hand may no longer fit its evidence.
    assert dataclasses.replace(TRANSCRIPT, language="de").diarization is None
    # And a document cannot smuggle any in.
    document = {**TRANSCRIPT.to_dict(), "diarization": codec.dump(TURNS), "_diarization": codec.dump(TURNS)}
    assert codec.load(Transcript, document).diarization is None


@pytest.mark.parametrize("carry", [copy.copy, copy.deepcopy, lambda noun: pickle.loads(pickle.dumps(noun))])
def test_a_transcript_travels_between_processes_with_its_evidence(carry):
    arrived = carry(TRANSCRIPT)
    assert arrived == TRANSCRIPT
    assert arrived.diarization == TRANSCRIPT.diarization
    assert arrived.diarization is not None


def test_a_transcript_is_a_dict_that_json_takes():
    document = TRANSCRIPT.to_dict()
    assert document["schema"] == "diarist.transcript/1"
    assert json.loads(render(TRANSCRIPT, "json")) == json.loads(json.dumps(document))
