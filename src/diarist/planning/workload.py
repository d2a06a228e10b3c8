"""What will be asked: how many requests, when, and of which recordings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from diarist.model.errors import InputError

if TYPE_CHECKING:
    from numpy.random import Generator

HOURS = 24
DAY = 86400.0
# Relative load by hour of the day, from 0 h to 23 h.
SHAPES: dict[str, tuple[float, ...]] = {
    "flat": (1.0,) * HOURS,
    "office": (0.0,) * 8 + (1.0,) * 10 + (0.0,) * 6,
    "day": (0.1,) * 6 + (0.4, 0.8, 1.2, 1.5, 1.6, 1.6, 1.5, 1.5, 1.6, 1.6, 1.5, 1.3, 1.1, 1.0, 0.9, 0.7, 0.4, 0.2),
    "night": (2.0,) * 5 + (0.2,) * 17 + (2.0,) * 2,
}
LONGEST_AUDIO_MINUTES = 24 * 60
MOST_REQUESTS_PER_DAY = 1_000_000
_P95 = NormalDist().inv_cdf(0.95)
_LENGTH = re.compile(r"(?P<minutes>[\d.]+)(?:/(?P<p95>[\d.]+))?(?::(?P<share>[\d.]+))?")


class Request(NamedTuple):
    """One request.

    Attributes:
        arrival: seconds from the start.
        audio: seconds of audio.
        diarize: whether speakers are wanted.
    """

    arrival: float
    audio: float
    diarize: bool


@dataclass(frozen=True, slots=True)
class Length:
    """A kind of recording.

    Attributes:
        minutes: length; the median where ``p95`` is given.
        p95: 95 % are no longer than this; lengths are log-normal then. None: all are equally long.
        share: how much of the requests are of this kind, relative to the others.
    """

    minutes: float
    p95: float | None = None
    share: float = 1.0

    @property
    def sigma(self) -> float:
        """Width of the log-normal distribution, 0 if all are equally long."""
        import math

        return 0.0 if self.p95 is None else math.log(self.p95 / self.minutes) / _P95

    @property
    def mean_minutes(self) -> float:
        """Mean length."""
        import math

        return self.minutes * math.exp(self.sigma**2 / 2)


def parse_length(text: str) -> Length:
    """Read ``MINUTES``, ``MEDIAN/P95``, each with ``:SHARE`` if there are several kinds.

    Raises:
        InputError: it is not written so, or out of range.
    """
    match = _LENGTH.fullmatch(text.strip())
    try:
        if not match:
            raise ValueError
        minutes = float(match["minutes"])
        p95 = float(match["p95"]) if match["p95"] else None
        share = float(match["share"]) if match["share"] else 1.0
    except ValueError:
        raise InputError(
            "bad_length",
            f"An audio length is MINUTES, MEDIAN/P95 or either with :SHARE, not {text!r}.",
            "Try 2 or 2/30.",
        ) from None
    if not 0 < minutes <= LONGEST_AUDIO_MINUTES or (p95 is not None and not minutes <= p95 <= LONGEST_AUDIO_MINUTES):
        raise InputError(
            "bad_length", f"Audio lengths are from above 0 to {LONGEST_AUDIO_MINUTES} minutes, not {text!r}."
        )
    if not share > 0:
        raise InputError("bad_length", f"The share in {text!r} must be more than 0.")
    return Length(minutes, p95, share)


def parse_shape(text: str) -> tuple[float, ...]:
    """Read the name of a shape, or 24 numbers separated by commas.

    Raises:
        InputError: it is neither.
    """
    if text in SHAPES:
        return SHAPES[text]
    try:
        weights = tuple(float(word) for word in text.split(","))
    except ValueError:
        weights = ()
    if len(weights) != HOURS or min(weights) < 0 or not 0 < sum(weights) < float("inf"):
        raise InputError(
            "bad_shape", f"The shape of a day is {', '.join(SHAPES)}, or 24 weights with commas, not {text!r}."
        )
    return weights


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests over time.

    Attributes:
        per_day: mean number of requests a day.
        lengths: kinds of recordings.
        plain_share: how much of the requests want no speakers, 0 to 1.
        shape: relative load by hour of the day.

    Raises:
        InputError: a value is out of range.
    """

    per_day: float
    lengths: tuple[Length, ...] = (Length(2.0),)
    plain_share: float = 0.0
    shape: tuple[float, ...] = SHAPES["flat"]

    def __post_init__(self) -> None:
        if not 0 < self.per_day <= MOST_REQUESTS_PER_DAY:
            raise InputError(
                "bad_volume",
                f"Requests per day must be above 0 and at most {MOST_REQUESTS_PER_DAY}, not {self.per_day:g}.",
            )
        if not 0 <= self.plain_share <= 1:
            raise InputError("bad_share", f"A share is from 0 to 1, not {self.plain_share:g}.")
        if not self.lengths:
            raise InputError("bad_length", "There is no audio length.", "Say how many minutes, e.g. 2.")

    @property
    def mean_audio(self) -> float:
        """Mean seconds of audio per request."""
        total = sum(length.share for length in self.lengths)
        return 60 * sum(length.share * length.mean_minutes for length in self.lengths) / total

    def rates(self) -> list[float]:
        """Requests per second, for each hour of the day."""
        total = sum(self.shape)
        return [self.per_day * weight / total / 3600 for weight in self.shape]

    def trace(self, days: int, seed: int, hour: float = 3600.0, lead: float = 0.0) -> list[Request]:
        """Draw requests: a Poisson process whose rate follows the shape of the day; the same ones for the same seed.

        Args:
            days: how many.
            seed: of the random numbers.
            hour: seconds that stand for an hour; fewer than 3600 shorten the day and keep its rates.
            lead: seconds at the rate of the day's last hour, before the first day.
        """
        import numpy as np

        generator = np.random.default_rng(seed)
        rates = np.concatenate(([self.rates()[-1]], np.tile(self.rates(), days)))
        lasting = np.concatenate(([lead], np.full(24 * days, hour)))
        counts = generator.poisson(rates * lasting)
        begins = np.repeat(np.cumsum(lasting) - lasting, counts)
        arrivals = np.sort(begins + generator.uniform(0, 1, len(begins)) * np.repeat(lasting, counts))
        audio = self._draw_lengths(generator, len(arrivals))
        diarize = generator.random(len(arrivals)) >= self.plain_share
        return list(map(Request, arrivals.tolist(), audio, diarize.tolist()))

    def _draw_lengths(self, generator: Generator, count: int) -> Sequence[float]:
        import numpy as np

        shares = np.asarray([length.share for length in self.lengths])
        kinds = generator.choice(len(shares), count, p=shares / shares.sum())
        medians = np.asarray([length.minutes for length in self.lengths])[kinds]
        sigmas = np.asarray([length.sigma for length in self.lengths])[kinds]
        minutes = medians * np.exp(sigmas * generator.standard_normal(count))
        seconds: list[float] = (60 * np.minimum(minutes, LONGEST_AUDIO_MINUTES)).tolist()
        return seconds
