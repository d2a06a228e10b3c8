"""The measures. Each is a ratio of counts, so that recordings pool by adding up.

MeetEval computes cpWER, tcpWER and ORC-WER, pyannote.metrics DER and JER. WDER is after El Shafey et
al. 2019, "Joint Speech Recognition and Speaker Diarization via Sequence Transduction"; a word without a speaker counts
as an error in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from diarist.evaluation.alignment import COLLAR, align, best_matching, by_utterance, needing_eval, timed
from diarist.evaluation.annotation import Annotation
from diarist.evaluation.text import Normaliser, Token, in_order
from diarist.model.timeline import Span
from diarist.model.transcript import Turn

BOUNDARY_WORDS: Final = 3
"""How many words on each side of a speaker change count as boundary words."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """``errors`` out of ``total``; what they count depends on the measure."""

    errors: float
    total: float

    @property
    def rate(self) -> float | None:
        """The ratio; None where there was nothing to count."""
        return self.errors / self.total if self.total else None

    def __add__(self, other: Ratio) -> Ratio:
        return Ratio(self.errors + other.errors, self.total + other.total)


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure's name for people, its unit (``"%"``, ``"s"`` or ``""``), and what it says."""

    title: str
    unit: str
    meaning: str


MEASURES: Final[Mapping[str, Measure]] = {
    "wer": Measure("WER", "%", "wrong, missing and extra words in order of time, whoever said them"),
    "cpwer": Measure("cpWER", "%", "WER per speaker under the best matching of speakers"),
    "tcpwer": Measure("tcpWER", "%", f"cpWER where a word may be at most {COLLAR:g} s off"),
    "orcwer": Measure("ORC-WER", "%", "WER where each reference utterance picks its best output stream (greedy)"),
    "oracle_cpwer": Measure("oracle", "%", "cpWER if every recognised word had its true speaker"),
    "attribution_cost": Measure("attribution", "%", "what attribution costs: cpWER minus oracle"),
    "wder": Measure("WDER", "%", "recognised words with the wrong speaker or none"),
    "abstained": Measure("no speaker", "%", "recognised words without a speaker; part of WDER"),
    "boundary_wder": Measure("boundary", "%", f"WDER within {BOUNDARY_WORDS} words of a speaker change"),
    "der": Measure("DER", "%", "time missed, falsely heard, or given to the wrong speaker; overlaps count"),
    "jer": Measure("JER", "%", "Jaccard error, every speaker counting alike"),
    "speaker_count": Measure("count error", "", "number of speakers: mean absolute error"),
    "wrong_count": Measure("wrong count", "%", "recordings with the wrong number of speakers"),
    "word_start": Measure("word start", "s", "correct words: mean distance of starts"),
    "word_end": Measure("word end", "s", "correct words: mean distance of ends"),
}


def score(
    reference: Annotation, hypothesis: Annotation, normalise: Normaliser, *, collar: float = 0.0
) -> dict[str, Ratio]:
    """Score one recording by every measure that both sides allow.

    Args:
        reference: the truth.
        hypothesis: what is scored.
        normalise: makes texts comparable, e.g. ``text.normaliser()``.
        collar: seconds on each side of a reference boundary that DER does not score.

    Returns:
        Counts by measure, in the order of `MEASURES`; a measure whose inputs are not known is absent.

    Raises:
        EngineError: the extra ``eval`` is not installed.
    """
    found: dict[str, Ratio] = {}
    with needing_eval():
        if reference.utterances is not None and hypothesis.utterances is not None:
            found |= _score_words(reference, hypothesis, normalise)
        if reference.turns is not None and hypothesis.turns is not None:
            found |= _score_turns(reference, hypothesis.turns, collar)
        if (hypothesis.turns or hypothesis.utterances) is not None and reference.speakers:
            off = abs(len(hypothesis.speakers) - len(reference.speakers))
            found |= {"speaker_count": Ratio(off, 1), "wrong_count": Ratio(off > 0, 1)}
        if reference.words and hypothesis.words:
            found |= _score_times(reference, hypothesis, normalise)
    return {name: found[name] for name in MEASURES if name in found}


def _score_words(reference: Annotation, hypothesis: Annotation, normalise: Normaliser) -> dict[str, Ratio]:
    from meeteval.wer.wer.cp import cp_word_error_rate
    from meeteval.wer.wer.orc import greedy_orc_word_error_rate
    from meeteval.wer.wer.time_constrained import time_constrained_minimum_permutation_word_error_rate as tcp

    spoken, heard = by_utterance(reference, normalise), by_utterance(hypothesis, normalise)
    said, words = (in_order(t for _, utterance in side for t in utterance) for side in (spoken, heard))
    pairs = align(said, words)
    found = {"wer": _errors(said, words)}
    streams = _seglst((s.start, s.end, s.speaker, " ".join(t.text for t in utterance)) for s, utterance in spoken)
    labelled = _seglst((t.start, t.end, t.speaker, t.text) for t in words)
    truly = _seglst((t.start, t.end, t.speaker, t.text) for t in true_speakers(said, words, pairs))
    if not (said and words):
        # MeetEval refuses an empty side; all is missing or all is extra.
        rates = ("cpwer", "tcpwer", "orcwer", "oracle_cpwer")
        found |= {name: Ratio(len(said) + len(words), len(said)) for name in rates}
    else:
        for name, result in (
            ("cpwer", cp_word_error_rate(streams, labelled)),
            ("tcpwer", tcp(streams, labelled, collar=COLLAR)),
            ("orcwer", greedy_orc_word_error_rate(streams, labelled)),
            ("oracle_cpwer", cp_word_error_rate(streams, truly)),
        ):
            found[name] = Ratio(result.errors, result.length)
    found["attribution_cost"] = Ratio(found["cpwer"].errors - found["oracle_cpwer"].errors, len(said))
    return found | word_speaker_errors(said, [(said[r].speaker, words[h].speaker, r) for r, h in pairs])


def true_speakers(said: Sequence[Token], heard: Sequence[Token], pairs: Sequence[tuple[int, int]]) -> list[Token]:
    """Give every recognised word the speaker who really said it, and words that nobody said the last speaker's."""
    partner = {h: r for r, h in pairs}
    last = said[0].speaker if said else None
    found = []
    for h, token in enumerate(heard):
        last = said[partner[h]].speaker if h in partner else last
        found.append(token._replace(speaker=last))
    return found


def _seglst(rows: Iterable[tuple[float, float, str | None, str]]) -> Any:
    from meeteval.io import SegLST

    # Words without a speaker form a stream of their own.
    return SegLST(
        [
            {"session_id": "-", "speaker": speaker or "", "start_time": start, "end_time": end, "words": words}
            for start, end, speaker, words in rows
        ]
    )


def _errors(reference: Sequence[Token], hypothesis: Sequence[Token]) -> Ratio:
    from meeteval.wer.matching.cy_levenshtein import levenshtein_distance

    vocabulary: dict[str, int] = {}
    sides = [[vocabulary.setdefault(t.text, len(vocabulary)) for t in side] for side in (reference, hypothesis)]
    return Ratio(levenshtein_distance(*sides), len(reference))


def word_speaker_errors(said: Sequence[Token], pairs: Sequence[tuple[str | None, str | None, int]]) -> dict[str, Ratio]:
    """Count aligned words whose speaker is wrong under the best one-to-one matching of labels.

    Args:
        said: spoken words in order of time.
        pairs: (true label, given label or None, index of the spoken word) for each aligned word.

    Returns:
        ``wder``, ``abstained`` and ``boundary_wder``.
    """
    match = best_matching((true, given) for true, given, _ in pairs)
    near_change = _near_change(said)
    wrong = [given is None or match.get(given) != true for true, given, _ in pairs]
    at_boundary = [error for error, (_, _, index) in zip(wrong, pairs, strict=True) if near_change[index]]
    return {
        "wder": Ratio(sum(wrong), len(pairs)),
        "abstained": Ratio(sum(given is None for _, given, _ in pairs), len(pairs)),
        "boundary_wder": Ratio(sum(at_boundary), len(at_boundary)),
    }


def _near_change(said: Sequence[Token]) -> list[bool]:
    near = [False] * len(said)
    for index, (before, after) in enumerate(pairwise(said), 1):
        if before.speaker != after.speaker:
            for neighbour in range(max(0, index - BOUNDARY_WORDS), min(len(said), index + BOUNDARY_WORDS)):
                near[neighbour] = True
    return near


def _score_turns(reference: Annotation, hypothesis: Sequence[Turn], collar: float) -> dict[str, Ratio]:
    from pyannote.core import Segment as Extent
    from pyannote.core import Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate, JaccardErrorRate

    turns = reference.turns or ()
    spans: Sequence[Span] = reference.extent or (Span(0, max((t.end for t in (*turns, *hypothesis)), default=0.0)),)
    extent = Timeline([Extent(span.start, span.end) for span in spans])
    sides = (_annotation(turns), _annotation(hypothesis))
    # pyannote's collar is the whole width; ours is on each side, as in md-eval.
    der = DiarizationErrorRate(collar=2 * collar, skip_overlap=False)(*sides, uem=extent, detailed=True)
    jaccard: Any = JaccardErrorRate
    jer = jaccard(collar=2 * collar, skip_overlap=False)(*sides, uem=extent, detailed=True)
    errors = der["missed detection"] + der["false alarm"] + der["confusion"]
    return {"der": Ratio(errors, der["total"]), "jer": Ratio(jer["speaker error"], jer["speaker count"])}


def _annotation(turns: Iterable[Turn]) -> Any:
    from pyannote.core import Annotation as Labels
    from pyannote.core import Segment as Extent

    labels = Labels()
    for track, turn in enumerate(turns):
        labels[Extent(turn.start, turn.end), track] = turn.speaker
    return labels


def _score_times(reference: Annotation, hypothesis: Annotation, normalise: Normaliser) -> dict[str, Ratio]:
    said, heard = in_order(timed(reference, normalise)), in_order(timed(hypothesis, normalise))
    same = [(said[r], heard[h]) for r, h in align(said, heard) if said[r].text == heard[h].text]
    return {
        "word_start": Ratio(sum(abs(a.start - b.start) for a, b in same), len(same)),
        "word_end": Ratio(sum(abs(a.end - b.end) for a, b in same), len(same)),
    }
