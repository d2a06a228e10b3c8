"""Which rule gives words to speakers best? Every arm on the same words and turns.

python benchmarks/attribution/ablation.py RECORDINGS DUMP [RECORDINGS DUMP]… [--json] [--factorial]

RECORDINGS is a folder with one folder per recording, holding ref.stm and, where word times are known, ref.words.json: a
list of {"word", "start", "end", "speaker"}, and "cased" for the word with its punctuation. DUMP is what dump.py wrote.
Only recordings with two speakers or more count.

Conditions: words are the reference's, the reference's with times off by a random 0.15 s (as recognisers' are), or each
recogniser's; turns are each diarizer's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import platform
import random
import shlex
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np
from meeteval.wer.matching.cy_levenshtein import levenshtein_distance
from rules import BASELINES, REPAIRS, Labels, Rule, attributed
from scipy.optimize import linear_sum_assignment

from diarist.evaluation.alignment import align, best_matching
from diarist.evaluation.annotation import read_annotation
from diarist.evaluation.measures import Ratio, word_speaker_errors
from diarist.evaluation.text import Token, in_order, normaliser, tokens
from diarist.model import codec
from diarist.model.transcript import Diarization, Segment, Transcription, Word

BASE = Rule()
FACTORS: dict[str, list[object]] = {
    "timeline": ["regular", "exclusive", "both"],
    "evidence": ["start", "midpoint", "overlap", "posterior"],
    "gap": ["abstain", "neighbours", "nearest 0.25", "nearest 0.5", "nearest 1", "nearest 2", "always"],
    "repair": list(REPAIRS),
    "clip": [None, 0.6, 1.0],
}
JITTER_SECONDS = 0.15
JITTER_SEEDS = 3
BLOCK_SECONDS = 30.0
RESAMPLES = 2000
Noun = TypeVar("Noun", Transcription, Diarization)
normalise = normaliser("whisper", "en")


@dataclass(frozen=True)
class Case:
    """One recording under one condition: all that a rule sees, and the truth."""

    recording: str
    condition: str
    words: tuple[Word, ...]
    diarization: Diarization
    said: list[Token]
    heard: list[tuple[Token, int]]  # a token and the word it came from
    pairs: list[tuple[int, int]]


@dataclass(frozen=True)
class Score:
    """Counts of one arm on one case; blocks are of `BLOCK_SECONDS` of speech, by the spoken word's time."""

    recording: str
    wder: Ratio
    claimed: Ratio
    abstained: Ratio
    boundary: Ratio
    cpwer: Ratio
    blocks: dict[int, Ratio]


def cases(recordings: Path, dump: Path) -> Iterator[Case]:
    for folder in sorted(path for path in recordings.iterdir() if (path / "ref.stm").exists()):
        name = folder.name
        reference = read_annotation(folder)[name]
        if len(reference.speakers) < 2:
            continue
        diarizations = _load(dump, name, Diarization, "diarization")
        said, timed = _reference_words(folder)
        if not timed:
            said = in_order(t for segment in reference.utterances or () for t in tokens(segment, normalise))
        sources: list[tuple[str, tuple[Word, ...]]] = []
        if timed:
            sources.append(("reference words", timed))
            sources += [("jittered words", _jittered(timed, seed)) for seed in range(JITTER_SEEDS)]
        sources += [(m, t.words) for m, t in _load(dump, name, Transcription, "transcription").items()]
        for (source, words), (diarizer, diarization) in itertools.product(sources, diarizations.items()):
            heard = [(token, index) for index, word in enumerate(words) for token in _tokens(word)]
            exact = source in ("reference words", "jittered words")
            pairs = [(i, i) for i in range(len(heard))] if exact else align(said, [t for t, _ in heard])
            truth = [t._replace(speaker=words[i].speaker) for t, i in heard] if exact else said
            hidden = tuple(Word(w.start, w.end, w.text, w.confidence) for w in words)
            yield Case(name, f"{source} × {diarizer}", hidden, diarization, truth, heard, pairs)


def _load(dump: Path, name: str, kind: type[Noun], task: str) -> dict[str, Noun]:
    files = sorted(dump.glob(f"{name}.{task}.*.json"))
    return {
        f.name.split(f".{task}.")[1].removesuffix(".json"): codec.load(kind, json.loads(f.read_text())) for f in files
    }


def _reference_words(folder: Path) -> tuple[list[Token], tuple[Word, ...]]:
    path = folder / "ref.words.json"
    if not path.exists():
        return [], ()
    entries = [entry for entry in json.loads(path.read_text()) if not entry.get("truncated")]
    words = [Word(e["start"], e["end"], e.get("cased", e["word"]), speaker=e["speaker"]) for e in entries]
    words.sort(key=lambda word: word.start)
    return [token for word in words for token in _tokens(word)], tuple(words)


def _tokens(word: Word) -> list[Token]:
    return tokens(Segment(word.start, word.end, word.speaker, word.text, (word,)), normalise)


def _jittered(words: Sequence[Word], seed: int) -> tuple[Word, ...]:
    """Move word edges at random, keeping the order of words."""
    source = random.Random(seed)
    moved = []
    for word in words:
        start, end = sorted(max(0.0, edge + source.gauss(0, JITTER_SECONDS)) for edge in (word.start, word.end))
        moved.append(replace(word, start=start, end=end))
    return tuple(moved)


def score(case: Case, labels: Labels) -> Score:
    triples = [(case.said[r].speaker, labels[case.heard[h][1]], r) for r, h in case.pairs]
    found = word_speaker_errors(case.said, triples)
    wrong = found["wder"]
    labelled = wrong.total - found["abstained"].errors
    blocks: defaultdict[int, Ratio] = defaultdict(lambda: Ratio(0, 0))
    for error, (_, _, r) in zip(_wrong(triples), triples, strict=True):
        block = int(case.said[r].start // BLOCK_SECONDS)
        blocks[block] = blocks[block] + Ratio(error, 1)
    return Score(
        recording=case.recording,
        wder=wrong,
        claimed=Ratio(wrong.errors - found["abstained"].errors, labelled),
        abstained=found["abstained"],
        boundary=found["boundary_wder"],
        cpwer=cpwer(case.said, [(token.text, labels[index]) for token, index in case.heard]),
        blocks=dict(blocks),
    )


def _wrong(triples: Sequence[tuple[str | None, str | None, int]]) -> list[bool]:
    match = best_matching((true, given) for true, given, _ in triples)
    return [given is None or match.get(given) != true for true, given, _ in triples]


def cpwer(said: Iterable[Token], heard: Iterable[tuple[str, str | None]]) -> Ratio:
    """MeetEval's cpWER without its per-call overhead; `tests/evaluation` checks that they agree."""
    codes: dict[str, int] = {}
    sides: list[defaultdict[str | None, list[int]]] = [defaultdict(list), defaultdict(list)]
    for token in said:
        sides[0][token.speaker].append(codes.setdefault(token.text, len(codes)))
    for text, speaker in heard:
        sides[1][speaker].append(codes.setdefault(text, len(codes)))
    rows, columns = (list(side.values()) for side in sides)
    rows += [[]] * max(0, len(columns) - len(rows))
    columns += [[]] * max(0, len(rows) - len(columns))
    table = np.array([[levenshtein_distance(row, column) for column in columns] for row in rows])
    return Ratio(int(table[linear_sum_assignment(table)].sum()), sum(map(len, rows)))


def causes(case: Case, labels: Labels) -> dict[str, int]:
    """Say where the wrong words of one arm come from; each counts once, under the first cause that holds."""
    triples = [(case.said[r].speaker, labels[case.heard[h][1]], r) for r, h in case.pairs]
    from_given = best_matching((true, given) for true, given, _ in triples)
    to_given = {true: given for given, true in from_given.items()}
    found = dict.fromkeys(CAUSES, 0)
    for wrong, (r, h) in zip(_wrong(triples), case.pairs, strict=True):
        if not wrong:
            continue
        word, label = case.words[case.heard[h][1]], to_given.get(case.said[r].speaker)
        own = [turn for turn in case.diarization.turns if turn.speaker == label]
        distance = min((word.gap(turn) for turn in own), default=math.inf)
        if label is None:
            found["diarizer: speaker never found"] += 1
        elif distance > NEAR_SECONDS:
            found["diarizer: speaker not heard here"] += 1
        elif not any(turn.intersection(word) > 0 for turn in own):
            found["timing: speaker heard close by"] += 1
        else:
            found["rule: speaker heard, another chosen"] += 1
    return found


CAUSES = (
    "diarizer: speaker never found",
    "diarizer: speaker not heard here",
    "timing: speaker heard close by",
    "rule: speaker heard, another chosen",
)
NEAR_SECONDS = 0.5


Results = dict[str, dict[str, list[Score]]]  # by condition, then arm: one score per case, in the order of cases


def run(all_cases: Sequence[Case], rules: Sequence[Rule]) -> Results:
    results: Results = defaultdict(lambda: defaultdict(list))

    def record(case: Case, arm: str, found: Score) -> None:
        results[case.condition][arm].append(found)
        if not case.condition.startswith(("reference", "jittered")):
            results["all recognised words"][arm].append(found)

    for case in all_cases:
        tables: dict[tuple[str, str, float | None], list[dict[str, float]]] = {}
        for name, baseline in BASELINES.items():
            record(case, name, score(case, baseline(case.words, case.diarization)))
        for rule in rules:
            if rule.evidence == "posterior" and case.diarization.scores is None:
                continue
            key = (rule.timeline, rule.evidence, rule.clip)
            table = tables[key] if key in tables else rule.look_up(case.words, case.diarization)
            tables[key] = table
            labels = rule.decide(case.words, case.diarization, table)
            record(case, rule.name, score(case, labels))
    return results


def pooled(scores: Sequence[Score], field: str) -> float:
    return sum((getattr(s, field) for s in scores), start=Ratio(0, 0)).rate or 0.0


def difference(scores: Sequence[Score], others: Sequence[Score]) -> tuple[float, float]:
    """95 % interval of the difference in WDER, resampling blocks of speech, both arms on the same ones."""
    totals: defaultdict[tuple[str, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for mine, other in zip(scores, others, strict=True):
        for block, ratio in mine.blocks.items():
            # The same speech under several conditions is one block.
            totals[mine.recording, block][0] += ratio.errors - other.blocks[block].errors
            totals[mine.recording, block][1] += ratio.total
    return interval(list(totals.values()))


def cpwer_difference(scores: Sequence[Score], others: Sequence[Score]) -> tuple[float, float]:
    """95 % interval of the difference in cpWER, resampling recordings: cpWER does not fall apart into blocks."""
    totals: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for mine, other in zip(scores, others, strict=True):
        totals[mine.recording][0] += mine.cpwer.errors - other.cpwer.errors
        totals[mine.recording][1] += mine.cpwer.total
    return interval(list(totals.values()))


def interval(rows: Sequence[Sequence[float]]) -> tuple[float, float]:
    counts = np.array(rows)
    draws = np.random.default_rng(0).integers(len(counts), size=(RESAMPLES, len(counts)))
    errors, words = counts[draws].sum(axis=1).T
    low, high = np.percentile(errors / words, [2.5, 97.5])
    return float(low), float(high)


def one_at_a_time() -> list[Rule]:
    return list(dict.fromkeys([BASE, *(replace(BASE, **{f: v}) for f, values in FACTORS.items() for v in values)]))


def factorial() -> list[Rule]:
    """All combinations of the factors that interact; who gets a word in a gap does not, see `one_at_a_time`."""
    chosen = {**FACTORS, "gap": [BASE.gap], "clip": [None]}
    return [Rule(*values) for values in itertools.product(*chosen.values())]  # type: ignore[arg-type]


def summary(results: Results) -> dict[str, dict[str, dict[str, float | list[float]]]]:
    found: dict[str, dict[str, dict[str, float | list[float]]]] = {}
    for condition, arms in results.items():
        found[condition] = {
            arm: {
                **{field: pooled(scores, field) for field in ("wder", "claimed", "abstained", "boundary", "cpwer")},
                "wder_minus_shipped": list(difference(scores, arms["shipped"])),
                "cpwer_minus_shipped": list(cpwer_difference(scores, arms["shipped"])),
            }
            for arm, scores in arms.items()
        }
    return found


def markdown(found: Mapping[str, Mapping[str, Mapping[str, float | list[float]]]], arms: Sequence[str]) -> str:
    lines = []
    for condition, table in found.items():
        lines += [
            f"\n### {condition}\n",
            "| rule | WDER | of labelled | no speaker | near a change | WDER minus shipped, 95 % "
            "| cpWER | cpWER minus shipped, 95 % |",
            "|---|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for arm in arms:
            if arm in table:
                row = table[arm]
                rates = [f"{100 * row[f]:.1f}" for f in ("wder", "claimed", "abstained", "boundary", "cpwer")]  # type: ignore[operator]
                spans = [
                    f"{100 * low:+.1f} to {100 * high:+.1f}"
                    for low, high in (row["wder_minus_shipped"], row["cpwer_minus_shipped"])  # type: ignore[misc]
                ]
                lines.append(f"| {arm} | {' | '.join([*rates[:4], spans[0], rates[4], spans[1]])} |")
    return "\n".join(lines)


def causes_table(all_cases: Sequence[Case]) -> str:
    lines = [
        "| recording and condition | words | wrong | " + " | ".join(CAUSES) + " |",
        "|---|" + "---:|" * (2 + len(CAUSES)),
    ]
    seen = set()
    for case in all_cases:
        if (case.recording, case.condition) in seen:
            continue
        seen.add((case.recording, case.condition))
        found = causes(case, BASELINES["shipped"](case.words, case.diarization))
        cells = [str(len(case.pairs)), str(sum(found.values())), *(str(found[cause]) for cause in CAUSES)]
        lines.append(f"| {case.recording}, {case.condition} | {' | '.join(cells)} |")
    return "\n".join(lines)


def flags_table(all_cases: Sequence[Case]) -> str:
    """How true are ``overlap`` and ``speaker_confidence``? By condition, over words with a spoken partner."""
    overlap: defaultdict[str, Counter[tuple[bool, bool]]] = defaultdict(Counter)
    confident: defaultdict[tuple[str, float], list[bool]] = defaultdict(list)
    for case in all_cases:
        told = attributed(case.words, case.diarization).words
        labels = [word.speaker for word in told]
        triples = [(case.said[r].speaker, labels[case.heard[h][1]], r) for r, h in case.pairs]
        for wrong, (r, h) in zip(_wrong(triples), case.pairs, strict=True):
            word = told[case.heard[h][1]]
            token = case.said[r]
            nearby = case.said[max(0, r - 30) : r + 30]
            truly = any(o.speaker != token.speaker and o.start < token.end and o.end > token.start for o in nearby)
            overlap[case.condition][truly, word.overlap] += 1
            if word.speaker_confidence is not None:
                confident[case.condition, min(0.9, word.speaker_confidence // 0.1 / 10)].append(not wrong)
    lines = [
        "| condition | overlapped words | flagged | right of flagged | found of overlapped |",
        "|---|---:|---:|---:|---:|",
    ]
    for condition, counts in overlap.items():
        hit, true, flagged = (
            counts[True, True],
            counts[True, True] + counts[True, False],
            counts[True, True] + counts[False, True],
        )
        lines.append(f"| {condition} | {true} | {flagged} | {hit / max(1, flagged):.0%} | {hit / max(1, true):.0%} |")
    lines += ["", "| condition | speaker_confidence | words | right |", "|---|---|---:|---:|"]
    for (condition, low), right in sorted(confident.items()):
        lines.append(f"| {condition} | {low:.1f} to {low + 0.1:.1f} | {len(right)} | {sum(right) / len(right):.0%} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="RECORDINGS DUMP")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--factorial", action="store_true", help="all combinations of all factors, and the best ten")
    options = parser.parse_args()
    rules = factorial() if options.factorial else one_at_a_time()
    pairs = zip(options.folders[::2], options.folders[1::2], strict=True)
    all_cases = [case for recordings, dump in pairs for case in cases(recordings, dump)]
    found = summary(run(all_cases, rules))
    about = {
        "command": shlex.join(["python", "benchmarks/attribution/ablation.py", *(Path(a).name for a in sys.argv[1:])]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: version(name) for name in ("meeteval", "numpy", "scipy")},
        "cases": len(all_cases),
        "words": sum(len(case.said) for case in all_cases),
    }
    if options.json:
        print(json.dumps({**about, "conditions": found}))
        return
    print("\n".join(f"{key}: {value}" for key, value in about.items()))
    arms = [*BASELINES, *(rule.name for rule in rules)]
    if options.factorial:
        conditions = list(found.values())
        ranked = sorted(
            (rule.name for rule in rules if all(rule.name in table for table in conditions)),
            key=lambda arm: sum(float(table[arm]["wder"]) for table in conditions),  # type: ignore[arg-type]
        )
        arms = [*BASELINES, *ranked[:15], BASE.name]
    print(markdown(found, arms))
    if options.factorial:
        return
    print("\n### Where the shipped rule's errors come from\n")
    print(causes_table(all_cases))
    print("\n### How true the flags are\n")
    print(flags_table(all_cases))


if __name__ == "__main__":
    main()
