"""Read references and hypotheses: STM, SegLST, CTM, RTTM, UEM, and all that `diarist.reading` makes a transcript of.

MeetEval reads these too (and checks our readers in the tests), but its errors quote the transcript and name no line,
and it refuses a channel "A" beside a time in whole seconds. These formats are a split at white space.
"""

from __future__ import annotations

import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from diarist import reading
from diarist.files import read_bounded, why
from diarist.model import codec
from diarist.model.errors import InputError
from diarist.model.timeline import Span
from diarist.model.transcript import Segment, Transcript, Turn, Word
from diarist.model.writing import is_unspaced

Entry = TypeVar("Entry")
Parsed = TypeVar("Parsed")
SomeSpan = TypeVar("SomeSpan", bound=Span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What is known of one recording; None means not known, an empty tuple means known to be none.

    Attributes:
        utterances: who said what, in order of time; a segment's words are empty where they have no own times.
        words: words with their own times, whoever said them.
        turns: who spoke when.
        extent: the stretches to score (UEM); None scores everything.
    """

    utterances: tuple[Segment, ...] | None = None
    words: tuple[Word, ...] | None = None
    turns: tuple[Turn, ...] | None = None
    extent: tuple[Span, ...] | None = None

    @property
    def speakers(self) -> frozenset[str]:
        """All labels that speak, by their turns, or by their utterances where no turns are known."""
        known: Iterable[Turn | Segment] = self.turns if self.turns is not None else self.utterances or ()
        return frozenset(item.speaker for item in known if item.speaker is not None)


def of_transcript(transcript: Transcript) -> Annotation:
    """See a transcript as a hypothesis. Without diarizer turns, the segments of its speakers are the turns."""
    turns = transcript.turns or tuple(Turn(s.start, s.end, s.speaker) for s in transcript.segments if s.speaker)
    timed = all(segment.words or not segment.text for segment in transcript.segments)
    return Annotation(utterances=transcript.segments, words=transcript.words if timed else None, turns=turns)


def read_annotation(path: Path) -> dict[str, Annotation]:
    """Read one file, or a folder of recordings.

    A folder holds, per recording, files ``NAME.stm``, ``NAME.rttm``, … or a subfolder ``NAME`` with ``ref.stm``,
    ``ref.rttm``, … (or ``hyp.*``, or ``NAME.*``). Other files are passed over.

    Returns:
        Annotations by recording. A file about one recording names it by its file or folder; one about several, by the
        session ids inside.

    Raises:
        InputError: nothing to read, or a malformed file; the message names file and line.
    """
    if not path.exists():
        raise InputError("not_found", f"{path} does not exist.")
    if path.is_dir():
        found = _read_folder(path)
        if not found:
            kinds = ", ".join(_READERS)
            raise InputError("nothing_to_score", f"{path} holds no recording's annotation.", f"Looked for {kinds}.")
        return found
    return _read_files([path], _name_of(path))


def _read_folder(folder: Path) -> dict[str, Annotation]:
    children = sorted(folder.iterdir())
    own = [p for p in children if p.is_file() and _name_of(p) in _FOLDER_STEMS and _kind(p)]
    if own:
        return _read_files(own, folder.resolve().name)
    by_name: defaultdict[str, list[Path]] = defaultdict(list)
    for child in children:
        if child.is_dir():
            stems = (*_FOLDER_STEMS, child.name)
            by_name[child.name] += [p for p in sorted(child.iterdir()) if _name_of(p) in stems and _kind(p)]
        elif _kind(child):
            by_name[_name_of(child)].append(child)
    found: dict[str, Annotation] = {}
    for name, files in by_name.items():
        for session, annotation in _read_files(files, name).items():
            found[session] = _merge(found.get(session, Annotation()), annotation)
    return found


_FOLDER_STEMS = ("ref", "hyp", "transcript")


def _name_of(path: Path) -> str:
    return re.sub(r"(\.(seglst|verbose|diarized))?\.[^.]+$", "", path.name)


def _is_poorer(path: Path) -> bool:
    """Whether a file knows less than another that may lie beside it."""
    return path.suffix.lower() in (".srt", ".vtt") or path.name.endswith((".verbose.json", ".diarized.json"))


def _kind(path: Path) -> str | None:
    """Return the reader's name; JSON counts only if it is a transcript or SegLST, so that metadata is passed over."""
    if path.name.endswith(".seglst.json"):
        return ".seglst.json"
    kind = path.suffix.lower()
    if kind != ".json":
        return kind if kind in _READERS else None
    document = _bytes(path)
    if _is_list(document):
        return ".seglst.json" if {"session_id", "words"} <= _first_keys(document) else None
    return kind if reading.is_transcript(document, path.name) else None


def _read_files(files: Sequence[Path], name: str) -> dict[str, Annotation]:
    found: dict[str, Annotation] = {}
    for path in sorted(files, key=_is_poorer):
        kind = ".seglst.json" if path.name.endswith(".seglst.json") else path.suffix.lower()
        if kind not in _READERS:
            raise InputError("unknown_format", f"{path} is of no known kind.", f"Known are {', '.join(_READERS)}.")
        sessions = _READERS[kind](path)
        if len(sessions) <= 1:
            sessions = {name: next(iter(sessions.values()), _EMPTY[kind])}
        for session, annotation in sessions.items():
            found[session] = _merge(found.get(session, Annotation()), annotation)
    return found


def _merge(first: Annotation, second: Annotation) -> Annotation:
    """Fill what ``first`` does not know from ``second``."""
    missing = {
        field: getattr(second, field)
        for field in ("utterances", "words", "turns", "extent")
        if getattr(first, field) is None
    }
    return replace(first, **missing)


def _read_json(path: Path) -> dict[str, Annotation]:
    document = _bytes(path)
    if _is_list(document):
        return _read_seglst(path)
    return {path.stem: of_transcript(reading.parse(document, str(path)))}


def _read_subtitles(path: Path) -> dict[str, Annotation]:
    # A cue is there to be read, and stays longer than it takes to say: it tells nothing of turns.
    return {path.stem: replace(of_transcript(reading.parse(_bytes(path), str(path))), turns=None)}


@dataclass(frozen=True, slots=True)
class _SegLst:
    session_id: str | float
    speaker: str | float
    start_time: str | float
    end_time: str | float
    words: str


def _is_list(document: bytes) -> bool:
    return document.removeprefix(b"\xef\xbb\xbf")[:1000].lstrip().startswith(b"[")


def _first_keys(document: bytes) -> set[str]:
    """The keys of a list's first entry, without reading the rest of the list."""
    text = document[:_LOOKED_AT].decode("utf-8", "ignore").removeprefix("\ufeff").lstrip()[1:].lstrip()
    try:
        return set(json.JSONDecoder().raw_decode(text)[0]) if text.startswith("{") else set()
    except (ValueError, RecursionError):
        return set()


_LOOKED_AT: Final = 1 << 16  # bytes; a talk of five minutes without a pause is some 5 kB


def _read_seglst(path: Path) -> dict[str, Annotation]:
    document = _bytes(path)
    try:
        entries = codec.read(list[_SegLst], document)
    except InputError as error:
        if error.code == "not_json":
            raise InputError("bad_document", f"{path} is not readable JSON.") from error
        at = re.search(r"`\$\[(\d+)\]", error.message)
        if at is None:
            raise InputError("bad_document", f"{path} is not SegLST: it must be a list of segments.") from error
        raise InputError("bad_document", f"{path}, segment {int(at[1]) + 1}: not valid SegLST.") from error

    def segment(entry: _SegLst) -> tuple[str, Segment]:
        start, end, speaker = float(entry.start_time), float(entry.end_time), str(entry.speaker)
        # A segment of one word is a word with a time of its own. Without spaces, only a single letter is surely one.
        alone = len(entry.words.split()) == 1 and sum(map(is_unspaced, entry.words)) <= 1
        words = (Word(start, end, entry.words, speaker=speaker),) if alone else ()
        return str(entry.session_id), Segment(start, end, speaker, entry.words, words)

    return _texts(_parsed(path, entries, segment, "segment"))


def _read_stm(path: Path) -> dict[str, Annotation]:
    def segment(line: str) -> tuple[str, Segment]:
        session, _channel, speaker, start, end, *rest = line.split(maxsplit=5)
        # NIST's optional sixth field, e.g. <o,f0,male>, is no speech.
        text = re.sub(r"^<[^<>]*>\s*", "", rest[0].rstrip()) if rest else ""
        return session, Segment(float(start), float(end), speaker, text, ())

    return _texts(_parsed(path, _lines(path), segment))


def _texts(segments: Iterable[tuple[str, Segment]]) -> dict[str, Annotation]:
    sessions: defaultdict[str, list[Segment]] = defaultdict(list)
    for session, segment in segments:
        if (
            segment.speaker not in ("inter_segment_gap", "excluded_region")
            and "IGNORE_TIME_SEGMENT" not in segment.text
        ):
            sessions[session].append(segment)
    annotations = {}
    for session, found in sessions.items():
        utterances = tuple(sorted(found, key=lambda segment: segment.start))
        timed = all(segment.words or not segment.text for segment in utterances)
        words = tuple(word for segment in utterances for word in segment.words) if timed else None
        annotations[session] = Annotation(utterances=utterances, words=words)
    return annotations


def _read_ctm(path: Path) -> dict[str, Annotation]:
    def word(line: str) -> tuple[str, Word]:
        session, _channel, start, duration, text, *_confidence = line.split()
        return session, Word(float(start), float(start) + float(duration), text)

    return {session: Annotation(words=words) for session, words in _by_session(path, word).items()}


def _read_rttm(path: Path) -> dict[str, Annotation]:
    def turn(line: str) -> tuple[str, Turn] | None:
        kind, *fields = line.split()
        if kind != "SPEAKER":
            return None
        session, _channel, start, duration, _text, _type, speaker, *_rest = fields
        return session, Turn(float(start), float(start) + float(duration), speaker)

    return {session: Annotation(turns=turns) for session, turns in _by_session(path, turn).items()}


def _read_uem(path: Path) -> dict[str, Annotation]:
    def span(line: str) -> tuple[str, Span]:
        session, _channel, start, end = line.split()
        return session, Span(float(start), float(end))

    return {session: Annotation(extent=spans) for session, spans in _by_session(path, span).items()}


def _by_session(path: Path, parse: Callable[[str], tuple[str, SomeSpan] | None]) -> dict[str, tuple[SomeSpan, ...]]:
    sessions: defaultdict[str, list[SomeSpan]] = defaultdict(list)
    for found in _parsed(path, _lines(path), parse):
        if found is not None:
            sessions[found[0]].append(found[1])
    return {session: tuple(sorted(spans, key=lambda span: span.start)) for session, spans in sessions.items()}


def _lines(path: Path) -> Iterable[str]:
    try:
        return io.StringIO(_bytes(path).decode("utf-8-sig"), newline="\n")
    except UnicodeDecodeError as error:
        raise InputError("bad_document", f"{path} is not readable text in UTF-8.") from error


def _bytes(path: Path) -> bytes:
    try:
        return read_bounded(path)
    except OSError as error:
        raise InputError("bad_document", f"Cannot read {path}: {why(error)}.") from error


def _parsed(
    path: Path, entries: Iterable[Entry], parse: Callable[[Entry], Parsed], unit: str = "line"
) -> Iterable[Parsed]:
    for number, entry in enumerate(entries, 1):
        if isinstance(entry, str) and (not entry.strip() or entry.lstrip().startswith(";")):
            continue
        try:
            yield parse(entry)
        except (KeyError, TypeError, ValueError) as error:
            # Only our own messages are known to hold no transcript text.
            reason = str(error) if str(error).startswith("a span needs") else f"not valid {_kind_name(path)}"
            raise InputError("bad_document", f"{path}, {unit} {number}: {reason}.") from error


def _kind_name(path: Path) -> str:
    return "SegLST" if path.suffix == ".json" else path.suffix[1:].upper()


_READERS: Mapping[str, Callable[[Path], dict[str, Annotation]]] = {
    ".json": _read_json,
    ".srt": _read_subtitles,
    ".vtt": _read_subtitles,
    ".stm": _read_stm,
    ".seglst.json": _read_seglst,
    ".ctm": _read_ctm,
    ".rttm": _read_rttm,
    ".uem": _read_uem,
}
_EMPTY: Mapping[str, Annotation] = {
    ".json": Annotation(utterances=(), words=()),
    ".srt": Annotation(utterances=(), words=()),
    ".vtt": Annotation(utterances=(), words=()),
    ".stm": Annotation(utterances=(), words=()),
    ".seglst.json": Annotation(utterances=(), words=()),
    ".ctm": Annotation(words=()),
    ".rttm": Annotation(turns=()),
    ".uem": Annotation(extent=()),
}
