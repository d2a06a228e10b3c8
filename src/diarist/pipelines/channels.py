"""Recordings with one party per channel, such as calls: each channel is transcribed on its own, then joined.

Channels that hold one sound are one party: recorders and mixers write a voice to two channels. Silent ones are none.

What a channel's microphone hears of the other party (bleed) would come out twice; it is known by being much quieter
than the same moment in the other channel.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

from diarist.attribution import segment
from diarist.audio.alike import group_alike
from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode_channels
from diarist.audio.level import SILENT
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.timeline import Span
from diarist.model.transcript import Transcript, Turn, Word

if TYPE_CHECKING:
    from diarist.pipelines.base import Naming, Pipeline, Source

BLEED_DB: Final = 12.0
"""Decibels below the loudest channel at which speech is bleed, where that channel has speech too. Headset and telephone
channels are usually separated by 20 dB or more; two people who really talk at once differ by less than this."""

ECHO_DB: Final = 3.0
"""The same for a word that the louder channel has too, at the same time: one of the two is an echo."""

SAME_TIME: Final = 0.5
"""Seconds between the starts of a word and its echo."""

MAX_CHANNELS: Final = 8
"""The most parties; channels that hold one sound are one party."""

_BLOCK: Final = 100 * SAMPLE_RATE  # samples, whole steps of 10 ms: what is looked at at a time

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
        InputError: there are no channels, or more parties than `MAX_CHANNELS`.
        DiaristError: what the pipeline raised.
    """
    if isinstance(recording, (list, tuple)):
        channels: Sequence[Audio] = recording
    else:
        channels = decode_channels(cast("Source", recording), progress=progress)
    audible = [number for number, audio in enumerate(channels) if audio.peak > SILENT]
    heard = audible or list(range(len(channels)))
    groups = [[heard[n] for n in group] for group in group_alike([channels[n] for n in heard], MAX_CHANNELS + 1)]
    if not 1 <= len(groups) <= MAX_CHANNELS:
        what = f"more than {MAX_CHANNELS}" if groups else "0"
        raise InputError("bad_channels", f"{what} channels cannot be separate parties.", "Use --channels mix.")
    notes = list(_told(groups, len(channels))) if audible else []
    parties = [max(group, key=lambda number: channels[number].peak) for group in groups]
    if len(parties) == 1:
        single = pipeline.transcribe(channels[parties[0]], options, progress, naming=naming)
        return replace(single, warnings=(*single.warnings, *notes))
    each = _options_of_one(options, len(parties))
    found = []
    for place, number in enumerate(parties):

        def report(stage: str, done: float, place: int = place) -> None:
            progress(stage, (place + done) / len(parties))

        found.append(pipeline.transcribe(channels[number], each, report, naming=naming))
    joined = join(found, _levels([channels[number] for number in parties]))
    # What every channel tells is told of the recording, e.g. that it is cut short.
    shared = [line for line in found[0].warnings if all(line in transcript.warnings for transcript in found)]
    own = [
        f"Channel {number}: {line}"
        for number, transcript in zip(parties, found, strict=True)
        for line in transcript.warnings
        if line not in shared
    ]
    return replace(joined, warnings=(*shared, *notes, *own))


def _told(groups: Sequence[Sequence[int]], num_channels: int) -> Iterator[str]:
    """Say which channels are no party of their own."""
    silent = sorted(set(range(num_channels)).difference(chain.from_iterable(groups)))
    if silent:
        yield f"Channel{'s' * (len(silent) > 1)} {_listed(silent)} {'are' if len(silent) > 1 else 'is'} silent."
    for group in groups:
        if len(group) == num_channels > 1:
            yield "All channels hold the same sound, so they were not taken for separate parties."
        elif len(group) > 1:
            yield f"Channels {_listed(group)} hold the same sound, so they were taken for one party."


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join(filter(None, (", ".join(map(str, numbers[:-1])), str(numbers[-1]))))


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
        warnings=tuple(dict.fromkeys(chain.from_iterable(t.warnings for t in transcripts))),
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


def _levels(channels: Sequence[Audio]) -> Level:
    """Return the loudness of channels over spans. Keeps a number for each 10 ms, and makes no copy of a recording."""
    import numpy as np

    # Energies summed up to each 10 ms, so that any span costs two look-ups.
    step = SAMPLE_RATE // 100
    totals = []
    for audio in channels:
        total = np.zeros(1 + len(audio.samples) // step)
        for start in range(0, (len(total) - 1) * step, _BLOCK):
            block = audio.samples[start : min(start + _BLOCK, (len(total) - 1) * step)].astype(np.float64)
            steps = np.square(block, out=block).reshape(-1, step).sum(axis=1)
            total[1 + start // step : 1 + start // step + len(steps)] = steps
        totals.append(np.cumsum(total, out=total))

    def level(channel: int, span: Span) -> float:
        total = totals[channel]
        start = min(round(span.start * 100), len(total) - 2)
        stop = min(max(round(span.end * 100), start + 1), len(total) - 1)
        if stop <= start:
            return -120.0
        return float(10 * np.log10((total[stop] - total[start]) / ((stop - start) * step) + 1e-12))

    return level
