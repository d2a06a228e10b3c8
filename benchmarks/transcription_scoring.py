"""How right words, times and confidences are, against recordings with references.

A recording is a folder with ``audio.flac`` and ``ref.ctm`` (words with exact times) or ``ref.stm`` (text by passage).
Words are compared in order of time, whoever spoke them, so overlapping speech counts as errors that no single-stream
recogniser can avoid; use the figures to compare engines, not as absolute word error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from diarist.model.transcript import Word

HESITATIONS = frozenset(["ah", "eh", "er", "erm", "hm", "hmm", "mhm", "mm", "mmm", "oh", "uh", "uhhuh", "um"])
SPELLINGS = {"mister": "mr", "missus": "mrs", "doctor": "dr", "okay": "ok", "'cause": "because", "cause": "because"}


@dataclass(frozen=True, slots=True)
class Reference:
    """What was said: plain words, and their times where the reference has them."""

    words: tuple[str, ...]
    times: tuple[tuple[float, float], ...] | None


def recordings(folder: Path) -> Iterator[tuple[str, Path, Reference]]:
    """Name, audio file and reference of each recording with text in ``folder``."""
    for path in sorted(folder.iterdir()):
        if (path / "ref.ctm").exists():
            yield path.name, path / "audio.flac", _ctm(path / "ref.ctm")
        elif (path / "ref.stm").exists():
            yield path.name, path / "audio.flac", _stm(path / "ref.stm")


def plain(text: str) -> list[str]:
    """Lower-case words without punctuation, hesitations and spelling variants."""
    words = re.sub(r"[^\w' ]", " ", text.lower().replace("’", "'").replace("uh-huh", "uhhuh")).split()
    return [SPELLINGS.get(word, word) for word in (w.strip("'") for w in words) if word and word not in HESITATIONS]


def _ctm(path: Path) -> Reference:
    rows = [line.split() for line in path.read_text().splitlines() if not line.startswith(";")]
    timed = sorted((float(row[2]), float(row[2]) + float(row[3]), row[4]) for row in rows)
    words = [(start, end, word) for start, end, text in timed for word in plain(text)]
    return Reference(tuple(w for _, _, w in words), tuple((start, end) for start, end, _ in words))


def _stm(path: Path) -> Reference:
    rows = [line.split(None, 5) for line in path.read_text().splitlines() if not line.startswith(";")]
    passages = sorted((float(row[3]), row[5]) for row in rows if len(row) == 6)
    return Reference(tuple(word for _, text in passages for word in plain(re.sub("<[^>]*>", "", text))), None)


@dataclass(frozen=True, slots=True)
class Score:
    """Errors of one recording.

    Attributes:
        reference: number of reference words.
        substituted, deleted, inserted: errors.
        start_errors, end_errors: seconds by which matched words begin and end late, where references have times.
        judged: for each recognised word, its confidence and whether it was right.
    """

    reference: int
    substituted: int
    deleted: int
    inserted: int
    start_errors: tuple[float, ...]
    end_errors: tuple[float, ...]
    judged: tuple[tuple[float, bool], ...]

    @property
    def errors(self) -> int:
        """All errors."""
        return self.substituted + self.deleted + self.inserted


def score(words: Sequence[Word], reference: Reference) -> Score:
    """Align recognised words with a reference and count."""
    said = [(word, text) for word in words for text in plain(word.text)]
    counts = {"replace": 0, "delete": 0, "insert": 0}
    starts, ends = [], []
    right: set[int] = set()
    for step in Levenshtein.opcodes(list(reference.words), [text for _, text in said]):
        if step.tag != "equal":
            counts[step.tag] += max(step.src_end - step.src_start, step.dest_end - step.dest_start)
            continue
        for offset in range(step.src_end - step.src_start):
            right.add(step.dest_start + offset)
            if reference.times:
                start, end = reference.times[step.src_start + offset]
                starts.append(said[step.dest_start + offset][0].start - start)
                ends.append(said[step.dest_start + offset][0].end - end)
    judged = [(w.confidence, i in right) for i, (w, _) in enumerate(said) if w.confidence is not None]
    return Score(
        len(reference.words), counts["replace"], counts["delete"], counts["insert"],
        tuple(starts), tuple(ends), tuple(judged),
    )  # fmt: skip


def calibration(judged: Sequence[tuple[float, bool]], bins: int = 10) -> dict[str, object]:
    """Reliability curve, expected calibration error, and area under the ROC curve of confidence against correctness."""
    curve = []
    gap = 0.0
    for index in range(bins):
        low, high = index / bins, (index + 1) / bins
        inside = [(c, ok) for c, ok in judged if low <= c < high or (c == 1 and high == 1)]
        if not inside:
            continue
        confidence, accuracy = sum(c for c, _ in inside) / len(inside), sum(ok for _, ok in inside) / len(inside)
        gap += abs(confidence - accuracy) * len(inside) / len(judged)
        curve.append({"confidence": round(confidence, 3), "right": round(accuracy, 3), "words": len(inside)})
    good, bad = sorted(c for c, ok in judged if ok), sorted(c for c, ok in judged if not ok)
    return {"words": len(judged), "auc": _auc(good, bad), "expected_error": round(gap, 3), "curve": curve}


def _auc(good: Sequence[float], bad: Sequence[float]) -> float | None:
    """Probability that a right word is surer than a wrong one."""
    if not good or not bad:
        return None
    import bisect

    wins = sum((bisect.bisect_left(bad, c) + bisect.bisect_right(bad, c)) / 2 for c in good)
    return round(wins / (len(good) * len(bad)), 3)
