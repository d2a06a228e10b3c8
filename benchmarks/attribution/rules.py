"""Every rule under test, as functions from timed words and a diarization to one label (or None) per word.

A rule is five choices: which timeline, what of a word is looked up on it (evidence), who gets a word that nothing
covers (gap), what is repaired afterwards (repair), and whether long words are clipped first (clip). The rules of other
projects are written from what their documentation says.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from diarist.attribution import attribute, segment
from diarist.model.timeline import Span
from diarist.model.transcript import Diarization, Transcript, Transcription, Turn, Word

Labels = list[str | None]
SENTENCE_ENDS = (".", "?", "!", "…")


@dataclass(frozen=True)
class Rule:
    """One arm. ``gap`` is ``"abstain"``, ``"neighbours"``, ``"always"`` or ``"nearest D"`` within D seconds."""

    timeline: str = "exclusive"
    evidence: str = "overlap"
    gap: str = "nearest 1"
    repair: str = "none"
    clip: float | None = None

    @property
    def name(self) -> str:
        clip = f"clip {self.clip:g} s" if self.clip else "no clip"
        return " · ".join((self.timeline, self.evidence, self.gap, self.repair, clip))

    def __call__(self, words: Sequence[Word], diarization: Diarization) -> Labels:
        return self.decide(words, diarization, self.look_up(words, diarization))

    def look_up(self, words: Sequence[Word], diarization: Diarization) -> list[dict[str, float]]:
        """Return each speaker's evidence for each word."""
        evidence = Evidence(diarization, self.timeline, self.evidence)
        return [evidence(word) for word in self.clipped(words)]

    def clipped(self, words: Sequence[Word]) -> Sequence[Word]:
        if self.clip is None:
            return words
        return [Word(w.start, min(w.end, w.start + self.clip), w.text) for w in words]

    def decide(self, words: Sequence[Word], diarization: Diarization, table: Sequence[dict[str, float]]) -> Labels:
        """Choose a label per word from the evidence of `look_up`."""
        labels: Labels = [max(cover, key=cover.__getitem__) if cover else None for cover in table]
        turns = diarization.exclusive if self.timeline == "exclusive" else diarization.turns
        return REPAIRS[self.repair](fill(labels, self.clipped(words), turns, self.gap), words, table)


class Evidence:
    """How much of a word each speaker has: seconds, or probability integrated over it."""

    def __init__(self, diarization: Diarization, timeline: str, kind: str) -> None:
        self.turns: Sequence[Turn] = diarization.exclusive if timeline == "exclusive" else diarization.turns
        if timeline == "both":
            self.turns = (*diarization.exclusive, *diarization.turns)
        self.kind = kind
        self.scores = diarization.scores
        if self.scores is not None:
            width = len(self.scores.speakers)
            self.frames = np.frombuffer(self.scores.values, np.uint8).reshape(-1, width) / 255

    def __call__(self, word: Word) -> dict[str, float]:
        if self.kind == "posterior":
            return self._posterior(word)
        instant = {"start": word.start, "midpoint": word.midpoint}.get(self.kind)
        found: Counter[str] = Counter()
        for turn in self.turns:
            if instant is not None:
                # In overlapped turns the longer one is asked, as a stand-in for "any".
                found[turn.speaker] += turn.duration if turn.start <= instant < turn.end else 0
            else:
                found[turn.speaker] += turn.intersection(word)
        return {speaker: seconds for speaker, seconds in found.items() if seconds > 0}

    def _posterior(self, word: Word) -> dict[str, float]:
        scores = self.scores
        assert scores is not None
        first = max(0, math.ceil((word.start - scores.start) / scores.step))
        stop = max(first + 1, math.ceil((word.end - scores.start) / scores.step))
        frames = self.frames[first:stop]
        if not len(frames) or frames.max() < 0.1:
            return {}
        return dict(zip(scores.speakers, frames.mean(axis=0).tolist(), strict=True))


def fill(labels: Labels, words: Sequence[Word], turns: Sequence[Turn], gap: str) -> Labels:
    """Decide the words that nothing covers."""
    if gap == "abstain":
        return labels
    if gap == "neighbours":
        filled = list(labels)
        for index, label in enumerate(labels):
            if label is None:
                before = next((found for found in reversed(labels[:index]) if found), None)
                after = next((found for found in labels[index + 1 :] if found), None)
                filled[index] = before if before == after else None
        return filled
    reach = math.inf if gap == "always" else float(gap.removeprefix("nearest "))
    filled = list(labels)
    for index, label in enumerate(labels):
        if label is None:
            nearest = min(turns, key=words[index].gap, default=None)
            if nearest is not None and words[index].gap(nearest) <= reach:
                filled[index] = nearest.speaker
    return filled


def runs(labels: Labels) -> Iterator[tuple[int, int]]:
    """Yield the bounds of stretches of one label."""
    start = 0
    for label, group in itertools.groupby(labels):
        stop = start + len(list(group))
        yield start, stop
        del label
        start = stop


def sandwich(labels: Labels, words: Sequence[Word], table: Sequence[dict[str, float]]) -> Labels:
    """A single word of one speaker between two of another goes to the other."""
    fixed = list(labels)
    for i in range(1, len(labels) - 1):
        if fixed[i - 1] == labels[i + 1] != labels[i] and fixed[i - 1] is not None:
            gaps = (words[i - 1].gap(words[i]), words[i].gap(words[i + 1]))
            if max(gaps) < 0.3:
                fixed[i] = fixed[i - 1]
    return fixed


def punctuation_majority(labels: Labels, words: Sequence[Word], table: Sequence[dict[str, float]]) -> Labels:
    """Every sentence goes to the speaker who has most of its words (at least half)."""
    fixed = list(labels)
    for start, stop in sentences(words):
        known = Counter(label for label in labels[start:stop] if label is not None)
        if known:
            label, count = known.most_common(1)[0]
            if count >= (stop - start) // 2:
                fixed[start:stop] = [label] * (stop - start)
    return fixed


def sentences(words: Sequence[Word], longest: int = 50) -> Iterator[tuple[int, int]]:
    start = 0
    for i, word in enumerate(words):
        if word.text.endswith(SENTENCE_ENDS) or i + 1 - start >= longest or i == len(words) - 1:
            yield start, i + 1
            start = i + 1


def boundary_search(
    reach: int, *, pause: float = 0.0, sentence: float = 0.0, capital: float = 0.0
) -> Callable[[Labels, Sequence[Word], Sequence[dict[str, float]]], Labels]:
    """Move each change of speaker by up to ``reach`` words to where it scores best.

    The score is the log share of evidence of every word in the window for its speaker, plus rewards at the cut: per
    second of pause (up to one), for a sentence end before it, and for a capital letter after it.
    """

    def repair(labels: Labels, words: Sequence[Word], table: Sequence[dict[str, float]]) -> Labels:
        fixed = list(labels)
        changes = [start for start, _ in runs(labels)][1:]
        for number, change in enumerate(changes):
            left, right = labels[change - 1], labels[change]
            if left is None or right is None:
                continue
            # A search never crosses another change, nor what an earlier one has moved.
            low = max(change - reach, (changes[number - 1] if number else 0) + 1)
            high = min(change + reach, (changes[number + 1] if number + 1 < len(changes) else len(words)) - 1)
            if not low <= change <= high:
                continue
            best, best_score = change, -math.inf
            for cut in sorted(range(low, high + 1), key=lambda c: abs(c - change)):
                score = sum(log_share(table[i], left) for i in range(low, cut))
                score += sum(log_share(table[i], right) for i in range(cut, high))
                before, after = words[cut - 1], words[cut]
                score += pause * min(1.0, max(0.0, after.start - before.end))
                score += sentence * before.text.endswith(SENTENCE_ENDS)
                score += capital * (after.text[:1].isupper() and after.text.split("'")[0] != "I")
                if score > best_score + 1e-9:
                    best, best_score = cut, score
            for i in range(low, high):
                fixed[i] = left if i < best else right
        return fixed

    return repair


def log_share(cover: dict[str, float], speaker: str) -> float:
    """Log of the share of a word's evidence that is for ``speaker``, floored so that no word is certain."""
    whole = sum(cover.values())
    share = cover.get(speaker, 0.0) / whole if whole else 0.5
    return math.log(min(0.98, max(0.02, share)))


def sentence_end(
    reach: int, *, only_one: bool = True
) -> Callable[[Labels, Sequence[Word], Sequence[dict[str, float]]], Labels]:
    """Move a change of speaker to a sentence end within ``reach`` words.

    Where there are several, the nearest counts, or with ``only_one`` none.
    """

    def repair(labels: Labels, words: Sequence[Word], table: Sequence[dict[str, float]]) -> Labels:
        fixed = list(labels)
        bounds = [start for start, _ in runs(labels)] + [len(words)]
        for before, change, after in zip(bounds, bounds[1:], bounds[2:], strict=False):
            left, right = labels[change - 1], labels[change]
            cuts = range(max(before + 1, change - reach), min(after - 1, change + reach) + 1)
            ends = [cut for cut in cuts if words[cut - 1].text.endswith(SENTENCE_ENDS)]
            if left is None or right is None or not ends or (only_one and len(ends) > 1):
                continue
            cut = min(ends, key=lambda end: abs(end - change))
            for i in range(min(cut, change), max(cut, change)):
                fixed[i] = left if i < cut else right
        return fixed

    return repair


def viterbi(
    switch: float, *, at_sentence_end: float = 1.0, at_pause: float = 1.0
) -> Callable[[Labels, Sequence[Word], Sequence[dict[str, float]]], Labels]:
    """Choose the whole sequence of speakers at once: evidence of every word, and a price for every change.

    The price of a change is ``switch``, times ``at_sentence_end`` after a sentence, times ``at_pause`` after 0.3 s
    without a word.
    """

    def repair(labels: Labels, words: Sequence[Word], table: Sequence[dict[str, float]]) -> Labels:
        speakers = sorted({speaker for cover in table for speaker in cover})
        if len(speakers) < 2:
            return labels
        emission = np.array([[log_share(cover, speaker) for speaker in speakers] for cover in table])
        best, back = emission[0], np.zeros((len(words), len(speakers)), int)
        for i in range(1, len(words)):
            price = switch * (at_sentence_end if words[i - 1].text.endswith(SENTENCE_ENDS) else 1)
            price *= at_pause if words[i].start - words[i - 1].end > 0.3 else 1
            moved = best[:, None] - price * (1 - np.eye(len(speakers)))
            back[i] = moved.argmax(axis=0)
            best = moved.max(axis=0) + emission[i]
        path = [int(best.argmax())]
        for i in range(len(words) - 1, 0, -1):
            path.append(int(back[i][path[-1]]))
        chosen = [speakers[state] for state in reversed(path)]
        return [None if label is None else new for label, new in zip(labels, chosen, strict=True)]

    return repair


REPAIRS: dict[str, Callable[[Labels, Sequence[Word], Sequence[dict[str, float]]], Labels]] = {
    "none": lambda labels, words, table: labels,
    "sandwich": sandwich,
    "punctuation majority": punctuation_majority,
    "sentence end": sentence_end(2),
    "sentence end 1": sentence_end(1),
    "sentence end 3": sentence_end(3),
    "sentence end 4": sentence_end(4),
    "sentence end 2 nearest": sentence_end(2, only_one=False),
    "sentence end 3 nearest": sentence_end(3, only_one=False),
    "sentence end 4 nearest": sentence_end(4, only_one=False),
    "sentence end 5 nearest": sentence_end(5, only_one=False),
    "search evidence": boundary_search(3),
    "search pause": boundary_search(3, pause=3.0),
    "search sentence": boundary_search(3, sentence=1.5),
    "search all": boundary_search(3, pause=3.0, sentence=1.5, capital=0.5),
    "search all strong": boundary_search(3, pause=5.0, sentence=3.0, capital=1.0),
    "viterbi 1": viterbi(1.0),
    "viterbi 3": viterbi(3.0),
    "viterbi 3, free at sentence ends": viterbi(3.0, at_sentence_end=0.2),
    "viterbi 3, free at both": viterbi(3.0, at_sentence_end=0.2, at_pause=0.5),
    "viterbi 6, free at both": viterbi(6.0, at_sentence_end=0.2, at_pause=0.5),
}


def segment_stamp(words: Sequence[Word], diarization: Diarization) -> Labels:
    """The naive rule of most scripts: one label per recognised segment, by overlap with the turns."""
    return _per_sentence(words, diarization.turns)


def whisperx(words: Sequence[Word], diarization: Diarization) -> Labels:
    """WhisperX: per word, the speaker with most overlap on the overlapping turns; words outside all turns get none."""
    return Rule("regular", "overlap", "abstain")(words, diarization)


def whisperx_with_segments(words: Sequence[Word], diarization: Diarization) -> Labels:
    """WhisperX as its users read it: a word without a speaker of its own shows its segment's."""
    stamped = _per_sentence(words, diarization.turns)
    return [own or whole for own, whole in zip(whisperx(words, diarization), stamped, strict=True)]


def whisper_diarization(words: Sequence[Word], diarization: Diarization) -> Labels:
    """whisper-diarization: the turn at each word's start (or the next one), then the majority of each sentence."""
    turns = sorted(diarization.turns, key=lambda turn: turn.start)
    labels: Labels = []
    position = 0
    for word in words:
        while position < len(turns) - 1 and word.start > turns[position].end:
            position += 1
        labels.append(turns[position].speaker if turns else None)
    return punctuation_majority(labels, words, [])


def pyannote_tutorial(words: Sequence[Word], diarization: Diarization) -> Labels:
    """The tutorial of pyannote: per word, most overlap on the exclusive timeline; words outside it get none."""
    return Rule("exclusive", "overlap", "abstain")(words, diarization)


def shipped(words: Sequence[Word], diarization: Diarization) -> Labels:
    """`diarist.attribution.attribute`, as it is installed."""
    return [word.speaker for word in attributed(words, diarization).words]


def attributed(words: Sequence[Word], diarization: Diarization) -> Transcript:
    """Make the transcript that diarist makes of these words and turns."""
    transcription = Transcription(
        words=tuple(words), language="en", duration=diarization.duration, model=diarization.model
    )
    return attribute(transcription, diarization)


def _per_sentence(words: Sequence[Word], turns: Sequence[Turn]) -> Labels:
    labels: Labels = []
    for stretch in segment(Word(w.start, w.end, w.text) for w in words):
        whole = Span(stretch.start, stretch.end)
        seconds: Counter[str] = Counter()
        for turn in turns:
            seconds[turn.speaker] += turn.intersection(whole)
        label, covered = seconds.most_common(1)[0] if seconds else (None, 0.0)
        labels += [label if covered else None] * len(stretch.words)
    return labels


BASELINES: dict[str, Callable[[Sequence[Word], Diarization], Labels]] = {
    "segment stamp": segment_stamp,
    "WhisperX": whisperx,
    "WhisperX, segment fallback": whisperx_with_segments,
    "whisper-diarization": whisper_diarization,
    "pyannote tutorial": pyannote_tutorial,
    "shipped": shipped,
}
