"""Score many recordings, and say how sure the pooled figures are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diarist.evaluation import differences
from diarist.evaluation.alignment import spoken
from diarist.evaluation.annotation import Annotation, read_annotation
from diarist.evaluation.measures import MEASURES, Ratio, score
from diarist.evaluation.text import Normaliser
from diarist.model.errors import InputError

RESAMPLES = 2000
"""Bootstrap samples: enough that the ends of a 95 % interval move by little from seed to seed."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A pooled figure.

    Attributes:
        rate: errors of all recordings by their total.
        low: lower end of the 95 % interval; None with fewer than two recordings.
        high: upper end.
        recordings: how many were measured.
    """

    rate: float | None
    low: float | None
    high: float | None
    recordings: int


@dataclass(frozen=True, slots=True)
class Report:
    """All scores.

    Attributes:
        items: counts by recording, then by measure.
        pooled: estimates by measure.
        unmatched: recordings with a reference but no hypothesis, which are not scored.
        unreferenced: recordings with a hypothesis but no reference, which are not scored either.
        settings: what the figures depend on, e.g. the normaliser.
        differences: each recording's words beside those of its reference; None unless asked for. A recording without
            words on both sides is absent.
    """

    items: Mapping[str, Mapping[str, Ratio]]
    pooled: Mapping[str, Estimate]
    unmatched: Sequence[str]
    unreferenced: Sequence[str]
    settings: Mapping[str, str | float]
    differences: Mapping[str, Sequence[differences.Pair]] | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a second system differs from a first, on the recordings that both were scored on.

    Attributes:
        measures: by measure, the second system's rate minus the first's.
        recordings: the recordings compared.
        only_first: recordings that the second system lacks; they are left out.
        only_second: recordings that the first system lacks; they are left out.
    """

    measures: Mapping[str, Estimate]
    recordings: Sequence[str]
    only_first: Sequence[str]
    only_second: Sequence[str]


def evaluate(
    reference: Path,
    hypothesis: Path,
    normalise: Normaliser,
    *,
    collar: float = 0.0,
    normaliser_name: str = "whisper",
    diff: bool = False,
) -> Report:
    """Score a file against a file, or a folder against a folder.

    Args:
        reference: the truth.
        hypothesis: what is scored.
        normalise: makes texts comparable.
        collar: seconds on each side of a reference boundary that DER does not score.
        normaliser_name: what the report calls ``normalise``.
        diff: whether the report shows the words side by side.

    Raises:
        InputError: an input is missing or malformed, or no recording is in both.
    """
    references, hypotheses = read_annotation(reference), read_annotation(hypothesis)
    if len(references) == len(hypotheses) == 1:
        # One recording against one: their names need not agree.
        hypotheses = dict(zip(references, hypotheses.values(), strict=True))
    both = [name for name in references if name in hypotheses]
    if not both:
        raise InputError(
            "nothing_to_score",
            f"No recording is both in {reference} and in {hypothesis}.",
            f"The reference has {_some(references)}; the hypothesis has {_some(hypotheses)}.",
        )
    items = {name: score(references[name], hypotheses[name], normalise, collar=collar) for name in both}
    return Report(
        items=items,
        pooled=pool(list(items.values())),
        unmatched=_without(references, hypotheses),
        unreferenced=_without(hypotheses, references),
        settings={"normalizer": normaliser_name, "collar": collar, "bootstrap_resamples": RESAMPLES},
        differences=_differences({name: (references[name], hypotheses[name]) for name in both}, normalise)
        if diff
        else None,
    )


def _differences(
    sides: Mapping[str, tuple[Annotation, Annotation]], normalise: Normaliser
) -> dict[str, list[differences.Pair]]:
    found = {}
    for name, (reference, hypothesis) in sides.items():
        said, heard = spoken(reference, normalise), spoken(hypothesis, normalise)
        if said is not None and heard is not None:
            found[name] = differences.compare(said, heard)
    return found


def pool(items: Sequence[Mapping[str, Ratio]]) -> dict[str, Estimate]:
    """Add up recordings; the interval is a percentile bootstrap over recordings."""
    return {name: estimate([item[name] for item in items if name in item]) for name in MEASURES if _has(items, name)}


def estimate(ratios: Sequence[Ratio]) -> Estimate:
    """Pool one measure."""
    import numpy as np

    total = sum(ratios, start=Ratio(0, 0))
    if len(ratios) < 2 or not total.total:
        return Estimate(total.rate, None, None, len(ratios))
    counts = np.array([(ratio.errors, ratio.total) for ratio in ratios], dtype=np.float64)
    draws = np.random.default_rng(0).integers(len(ratios), size=(RESAMPLES, len(ratios)))
    errors, totals = counts[draws].sum(axis=1).T
    low, high = np.percentile(errors[totals > 0] / totals[totals > 0], [2.5, 97.5])
    return Estimate(total.rate, float(low), float(high), len(ratios))


def compare(first: Mapping[str, Mapping[str, Ratio]], second: Mapping[str, Mapping[str, Ratio]]) -> Comparison:
    """Return by how much the second system's rates differ from the first's, from the recordings that both have.

    The interval is paired: every bootstrap sample takes the same recordings of both systems. Below zero means that the
    second makes fewer errors; an interval that does not reach zero, that this is no accident of these recordings.

    Raises:
        InputError: no recording is in both.
    """
    both = [name for name in first if name in second]
    if not both:
        raise InputError(
            "nothing_to_compare",
            "The two systems have no recording in common.",
            f"The first has {_some(first)}; the second has {_some(second)}.",
        )
    found = {}
    for measure in MEASURES:
        pairs = [
            (first[name][measure], second[name][measure])
            for name in both
            if measure in first[name] and measure in second[name]
        ]
        if pairs:
            found[measure] = _difference(pairs)
    return Comparison(found, both, _without(first, second), _without(second, first))


def _without(names: Iterable[str], others: Mapping[str, object]) -> list[str]:
    return [name for name in names if name not in others]


def _difference(pairs: Sequence[tuple[Ratio, Ratio]]) -> Estimate:
    import numpy as np

    counts = np.array([[(r.errors, r.total) for r in pair] for pair in pairs], dtype=np.float64)

    def rates(sums: Any) -> Any:
        with np.errstate(invalid="ignore", divide="ignore"):
            return sums[..., 1, 0] / sums[..., 1, 1] - sums[..., 0, 0] / sums[..., 0, 1]

    whole = float(rates(counts.sum(axis=0)))
    rate = whole if np.isfinite(whole) else None
    if len(pairs) < 2 or rate is None:
        return Estimate(rate, None, None, len(pairs))
    draws = np.random.default_rng(0).integers(len(pairs), size=(RESAMPLES, len(pairs)))
    samples = rates(counts[draws].sum(axis=1))
    low, high = np.percentile(samples[np.isfinite(samples)], [2.5, 97.5])
    return Estimate(rate, float(low), float(high), len(pairs))


def _has(items: Sequence[Mapping[str, Ratio]], name: str) -> bool:
    return any(name in item for item in items)


def _some(annotations: Mapping[str, object]) -> str:
    names = list(annotations)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
