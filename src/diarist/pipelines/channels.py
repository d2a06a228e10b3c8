"""Recordings with one party per channel, such as calls: each channel is transcribed on its own, then joined.

What a channel's microphone hears of the other party (bleed) would come out twice; it is known by being much quieter
than the same moment in the other channel.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

from diarist.attribution import segment
from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode_channels
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.timeline import Span
from diarist.model.transcript import Transcript, Turn, Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from diarist.pipelines.base import Naming, Pipeline, Source

BLEED_DB: Final = 12.0
"""Decibels below the loudest channel at which speech is bleed, where that channel has speech too. Headset and telephone
channels are usually separated by 20 dB or more; two people who really talk at once differ by less than this."""

ECHO_DB: Final = 3.0
"""The same for a word that the louder channel has too, at the same time: one of the two is an echo."""

_ALIKE: Final = 0.9  # correlation of one sound that a codec wrote twice

SAME_TIME: Final = 0.5
"""Seconds between the starts of a word and its echo."""

MAX_CHANNELS: Final = 8

Item = TypeVar("Item", Word, Turn)

Level = Callable[[int, Span], float]
"""Loudness of a channel over a span, in decibels (any reference)."""


def transcribe_channels(
    recording: Source | Sequence[Audio],
    pipeline: Pipeline,
    options: Options = Options(),
    progress: Progress = ignore,
    *,
    naming: Naming | None = None,
) -> Transcript:
    """Transcribe a recording whose channels are separate parties.

    Args:
        recording: what there is; or its channels, each mono, 16 kHz (`diarist.audio.decode.decode_channels`).
        pipeline: transcribes one channel.
        options: what was asked. A number of speakers is that of the whole recording.
        progress: called with the mean over channels; may raise `Cancelled`.
        naming: gives known speakers their names.

    Raises:
        InputError: there are no channels, or more than `MAX_CHANNELS`.
        DiaristError: what the pipeline raised.
    """
    if isinstance(recording, (list, tuple)):
        channels: Sequence[Audio] = recording
    else:
        channels = decode_channels(cast("Source", recording), progress=progress)
    if not 1 <= len(channels) <= MAX_CHANNELS:
        raise InputError("bad_channels", f"{len(channels)} channels cannot be separate parties.", "Use --channels mix.")
    level, same = _levels(channels)
    same = same and len(channels) > 1
    if len(channels) == 1 or same:
        single = pipeline.transcribe(max(channels, key=lambda audio: audio.peak), options, progress, naming=naming)
        note = "All channels hold the same sound, so they were not taken for separate parties."
        return replace(single, warnings=(*single.warnings, note)) if same else single
    each = _options_of_one(options, len(channels))
    found = []
    for number, audio in enumerate(channels):

        def report(stage: str, done: float, number: int = number) -> None:
            progress(stage, (number + done) / len(channels))

        found.append(pipeline.transcribe(audio, each, report, naming=naming))
    return join(found, level)


def join(transcripts: Sequence[Transcript], level: Level) -> Transcript:
    """Join the transcripts of all channels into one; bleed is left out, and speakers are numbered anew.

    Args:
        transcripts: one per channel, on one clock. A channel's words without a speaker get one for the channel.
        level: how loud a channel is over a span.
    """
    streams: list[list[Word]] = []
    turns: list[Turn] = []
    said = [_Near(transcript.words) for transcript in transcripts]
    for channel, transcript in enumerate(transcripts):
        others = [(other, near) for other, near in enumerate(said) if other != channel]
        kept = [w for w in transcript.words if not _is_bleed(w, channel, others, level)]
        streams.append([replace(w, speaker=_in_channel(w.speaker, channel)) for w in kept])
        heard = {w.speaker for w in kept}
        # A voice that says nothing of its own in this channel is the other channel's.
        own = [t for t in transcript.turns if t.speaker in heard and not _is_bleed(t, channel, others, level)]
        turns += [replace(t, speaker=_in_channel(t.speaker, channel)) for t in own]
    words = sorted(chain.from_iterable(streams), key=lambda word: word.start)
    turns.sort(key=lambda turn: turn.start)
    labels = dict.fromkeys([*(word.speaker for word in words), *(turn.speaker for turn in turns)])
    number = count()
    names = {
        label: f"SPEAKER_{next(number):02d}" if _UNKNOWN.fullmatch(label) else label
        for label in labels
        if label is not None
    }
    talking = _Near(turns)

    def told(word: Word) -> Word:
        overlap = any(turn.speaker != word.speaker for turn in talking(word))
        return replace(word, speaker=names[word.speaker or ""], overlap=overlap)

    # All channels were asked for the same; one without words knows no language.
    telling = next((transcript for transcript in transcripts if transcript.language), transcripts[0])
    language = telling.language
    # Channels are cut into segments one by one: people who talk at once are not chopped into each other.
    segments = chain.from_iterable(segment(map(told, stream), language) for stream in streams)
    return Transcript(
        duration=max(t.duration for t in transcripts),
        language=language,
        speakers=tuple(names.values()),
        segments=tuple(sorted(segments, key=lambda segment: segment.start)),
        turns=tuple(replace(t, speaker=names[t.speaker]) for t in turns),
        models=tuple(dict.fromkeys(chain.from_iterable(t.models for t in transcripts))),
        timings=_summed([t.timings for t in transcripts]),
        warnings=tuple(f"Channel {n}: {line}" for n, t in enumerate(transcripts) for line in t.warnings),
        spoken_language=telling.spoken_language,
        task=telling.task,
        temperature=telling.temperature,
    )


_UNKNOWN = re.compile(r"\d+/(SPEAKER_\d+)?")


def _in_channel(label: str | None, channel: int) -> str:
    """Tell numbered speakers of two channels apart; a known name is the same person everywhere."""
    numbered = label is None or re.fullmatch(r"SPEAKER_\d+", label)
    return f"{channel}/{label or ''}" if numbered else str(label)


class _Near(Generic[Item]):
    """Finds what overlaps a span, or begins at most ``margin`` seconds from it."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items: list[Item] = sorted(items, key=lambda item: item.start)
        self._starts: list[float] = [item.start for item in self._items]
        self._longest = max((item.duration for item in items), default=0.0)

    def __call__(self, span: Span, margin: float = 0.0) -> list[Item]:
        first = bisect_left(self._starts, span.start - self._longest - margin)
        stop = bisect_left(self._starts, span.end + margin)
        return [i for i in self._items[first:stop] if i.intersection(span) > 0 or abs(i.start - span.start) < margin]


def _is_bleed(item: Word | Turn, channel: int, others: Sequence[tuple[int, _Near[Word]]], level: Level) -> bool:
    for other, near in others:
        louder = level(other, item) - level(channel, item)
        if louder >= BLEED_DB and near(item):
            return True
        if louder >= ECHO_DB and isinstance(item, Word):
            text = _plain(item.text)
            if any(_plain(w.text) == text and abs(w.start - item.start) < SAME_TIME for w in near(item, SAME_TIME)):
                return True
    return False


def _plain(text: str) -> str:
    return re.sub(r"\W", "", text).casefold()


def _options_of_one(options: Options, num_channels: int) -> Options:
    """Say what a number of speakers means for one channel: with one party each, one; else at most that many."""
    if options.num_speakers is None:
        return replace(options, min_speakers=None)
    if options.num_speakers <= num_channels:
        return replace(options, num_speakers=1)
    return replace(options, num_speakers=None, max_speakers=options.num_speakers - num_channels + 1)


def _summed(timings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    keys = dict.fromkeys(chain.from_iterable(timings))
    return {key: round(sum(each.get(key, 0.0) for each in timings), 3) for key in keys}


def _levels(channels: Sequence[Audio]) -> tuple[Level, bool]:
    """Return the loudness of channels over spans, and whether all channels are the same sound."""
    import numpy as np

    # Energies summed up to each 10 ms, so that any span costs two look-ups.
    step = SAMPLE_RATE // 100
    totals = []
    for audio in channels:
        whole = audio.samples[: len(audio.samples) // step * step].astype(np.float64)
        totals.append(np.concatenate([[0.0], np.cumsum(np.square(whole).reshape(-1, step).sum(axis=1))]))

    def level(channel: int, span: Span) -> float:
        total = totals[channel]
        start = min(round(span.start * 100), len(total) - 2)
        stop = min(max(round(span.end * 100), start + 1), len(total) - 1)
        if stop <= start:
            return -120.0
        return float(10 * np.log10((total[stop] - total[start]) / ((stop - start) * step) + 1e-12))

    return level, all(_same_sound(channels[0].samples, audio.samples) for audio in channels[1:])


def _same_sound(one: NDArray[np.float32], two: NDArray[np.float32]) -> bool:
    """Whether two channels hold one sound, apart from level, polarity and a delay of up to a tenth of a second.

    Looks at up to 60 stretches of 2 s. Bleed is no such case: it is louder now in one channel, now in the other.
    """
    import numpy as np

    if len(one) != len(two):
        return False
    block, lag = 2 * SAMPLE_RATE, SAMPLE_RATE // 10
    starts = range(0, max(1, len(one)), block)
    energies = np.array(
        [
            (np.vdot(one[s : s + block], one[s : s + block]), np.vdot(two[s : s + block], two[s : s + block]))
            for s in starts
        ],
        np.float64,
    )
    heard = [int(n) for n in np.flatnonzero(energies.max(axis=1) > 1e-3 * energies.max())]
    if not heard:
        return True
    ratios, alike = [], 0
    looked = heard[:: -(-len(heard) // 60)]
    for number in looked:
        a, b = (channel[starts[number] : starts[number] + block] for channel in (one, two))
        size = 1 << (len(a) + lag).bit_length()
        products = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
        best = max(np.abs(products[: lag + 1]).max(), np.abs(products[-lag:]).max())
        first, second = energies[number]
        alike += bool(best > _ALIKE * np.sqrt(first * second) > 0)
        ratios.append(10 * np.log10((first + 1e-12) / (second + 1e-12)))
    usual = float(np.median(ratios))
    near = np.abs(np.array(ratios) - usual) < ECHO_DB
    return abs(usual) < BLEED_DB and alike >= 0.95 * len(looked) and near.mean() >= 0.95
