"""Work in windows, and sounds that are hard on a diarizer; with the embedded models."""

from __future__ import annotations

import dataclasses
import gc
import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diarist.audio.audio import Audio
from diarist.audio.decode import decode
from diarist.diarization.base import ReclusteringDiarizer
from diarist.diarization.embedding import OnePass
from diarist.diarization.engine import WindowedDiarizer
from diarist.diarization.evidence import Evidence
from diarist.diarization.pipeline import load_diarizer
from diarist.diarization.stretches import stretches
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.timeline import overlapped
from diarist.model.transcript import Diarization
from diarist.weights.fetch import ensure

pytestmark = pytest.mark.models
RATE = 16_000


@pytest.fixture(scope="module")
def diarizer() -> WindowedDiarizer:
    return load_diarizer("embedded", threads=2)


@pytest.fixture(scope="module")
def voices() -> list[np.ndarray]:
    """Four stretches of real speech: two from a call, two from other recordings; at least three people."""
    call, two, reader = (
        decode(next(ensure(name).glob("*.wav"))).samples
        for name in ("sample-telephone", "sample-two-voices", "sample-reader")
    )
    return [
        call[int(13.5 * RATE) : 18 * RATE],
        two[: 6 * RATE],
        reader[2 * RATE : 12 * RATE],
        reader[20 * RATE : 30 * RATE],
    ]


def pitched(samples: np.ndarray, ratio: float) -> np.ndarray:
    """The same words from a larger or smaller head."""
    places = np.arange(0, len(samples) - 1, ratio)
    return np.float32(np.interp(places, np.arange(len(samples)), samples))


def check(result: Diarization, samples: np.ndarray, options: Options = Options()) -> None:
    """What holds for any sound."""
    assert result.duration == len(samples) / RATE
    for turn in (*result.turns, *result.exclusive):
        assert 0 <= turn.start < turn.end <= result.duration + 1e-3
    for a, b in pairwise(result.exclusive):
        assert a.end <= b.start
    assert set(result.embeddings) <= set(result.speakers)
    assert len(result.speakers) <= (options.num_speakers or options.max_speakers or 64)
    for vector in result.embeddings.values():
        assert np.linalg.norm(vector) == pytest.approx(1)
    if result.scores:
        assert result.scores.speakers == result.speakers


def test_windows_on_several_machines_give_what_one_machine_gives(diarizer, voices):
    samples = np.concatenate(voices * 3)
    whole = diarizer.diarize(Audio(samples))
    windows = diarizer.windows(len(samples), 64)
    assert len(windows) > 1
    packed = []
    for window in windows:
        part = samples[window.start : window.end].copy()
        evidence = diarizer.segment_and_embed(part, window)
        packed.append(evidence.to_bytes())
        unpacked = Evidence.from_bytes(packed[-1])
        for field in dataclasses.fields(Evidence):
            np.testing.assert_array_equal(getattr(unpacked, field.name), getattr(evidence, field.name))
    parts = [Evidence.from_bytes(data) for data in reversed(packed)]
    apart = diarizer.cluster(Evidence.joined(parts))
    assert (apart.turns, apart.exclusive) == (whole.turns, whole.exclusive)
    assert apart.scores == whole.scores
    assert sum(map(len, packed)) < 60_000 * len(samples) / RATE / 60

    with pytest.raises(InputError, match="a part of a recording"):
        diarizer.cluster(parts[0])
    for wrong in ([], parts[1:], [*parts, parts[0]], [parts[0], dataclasses.replace(parts[1], num_samples=1)]):
        with pytest.raises(InputError):
            diarizer.cluster(Evidence.joined(wrong))


NUMBERS = [{"num_speakers": 1}, {"num_speakers": 2}, {"min_speakers": 3}, {}]


def test_another_number_of_speakers_needs_no_network_and_gives_what_a_run_from_scratch_gives(
    diarizer, voices, monkeypatch
):
    audio = Audio(np.concatenate(voices))
    from_scratch = [diarizer.diarize(audio, Options(**number)) for number in NUMBERS]
    told = []
    evidence = diarizer.evidence(audio, lambda stage, done: told.append(done))
    assert told
    monkeypatch.setattr(diarizer, "segment_and_embed", lambda *_: pytest.fail("ran a network"))
    again = [diarizer.cluster(evidence, Options(**number)) for number in NUMBERS]
    for one, other in zip(again, from_scratch, strict=True):
        assert set(one.timings) < set(other.timings)
        assert dataclasses.replace(one, timings={}) == dataclasses.replace(other, timings={})
    assert [len(found.speakers) for found in again[:2]] == [1, 2]


def test_stretches_of_one_reader_are_more_alike_than_those_of_two(diarizer, voices):
    reader, both = voices[2], np.concatenate([voices[1], voices[2]])
    evidence = diarizer.evidence(Audio(both))
    found = stretches(evidence.classes, 0, len(evidence.classes))
    assert len(evidence.stretches) == len(found) >= 6
    middles = found[:, 0] + found[:, 1:].mean(axis=1) * 10 / evidence.classes.shape[1]
    second = middles > (len(both) - len(reader)) / RATE
    units = evidence.stretches / np.linalg.norm(evidence.stretches.astype(float), axis=1, keepdims=True)
    assert (units[second] @ units[second].T).mean() > (units[second] @ units[~second].T).mean() + 0.3


def test_evidence_packed_without_stretches_is_clustered_by_its_slots(diarizer, voices):
    evidence = diarizer.evidence(Audio(voices[1]))
    with np.load(io.BytesIO(evidence.to_bytes())) as parts:
        earlier = io.BytesIO()
        np.savez_compressed(earlier, **{name: parts[name] for name in parts if name != "stretches"})
    assert diarizer.cluster(Evidence.from_bytes(earlier.getvalue())).turns


def test_silence_has_evidence_too(diarizer):
    evidence = diarizer.evidence(Audio(np.zeros(0, np.float32)))
    assert diarizer.cluster(evidence, Options(num_speakers=2)).turns == ()


def test_evidence_of_another_model_is_refused(diarizer):
    evidence = diarizer.evidence(Audio(np.zeros(RATE, np.float32)))
    with pytest.raises(InputError, match="evidence of 'community-1', not of 'embedded'"):
        diarizer.cluster(dataclasses.replace(evidence, model="community-1"))


def test_who_can_give_evidence_can_be_told_from_who_cannot(diarizer):
    class Plain:
        model = diarizer.model

        def diarize(self, audio, options=None, progress=None):
            """Finds nobody."""

    assert isinstance(diarizer, ReclusteringDiarizer)
    assert not isinstance(Plain(), ReclusteringDiarizer)


def test_bytes_that_are_no_evidence_are_refused():
    for data in (b"", b"PK\x03\x04nonsense", b"\x80\x04."):
        with pytest.raises(InputError):
            Evidence.from_bytes(data)


@pytest.mark.parametrize("ratio", [1.0, 0.9])
@pytest.mark.parametrize("disturbance", ["none", "dc", "clicks", "telephone", "quiet", "noise"])
def test_one_speaker_stays_one_whatever_the_line_does(diarizer, voices, ratio, disturbance):
    samples = pitched(np.concatenate(voices[2:]), ratio)
    result = diarizer.diarize(Audio(disturbed(samples, disturbance)))
    check(result, samples)
    assert result.speakers == ("SPEAKER_00",)


def disturbed(samples: np.ndarray, how: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    samples = samples.copy()
    if how == "dc":
        samples += 0.3
    elif how == "clicks":
        samples[rng.integers(0, len(samples), 30)] = 0.99
    elif how == "telephone":  # 8 kHz sampling, 300 to 3400 Hz, 8 bits
        spectrum, hertz = np.fft.rfft(samples), np.fft.rfftfreq(len(samples), 1 / RATE)
        spectrum[(hertz < 300) | (hertz > 3400)] = 0
        samples = np.float32(np.rint(np.fft.irfft(spectrum, len(samples)) * 128) / 128)
    elif how == "quiet":
        samples = np.float32(np.rint(samples * 0.01 * 32768) / 32768)
    elif how == "noise":
        samples += np.float32(0.1 * samples.std() * rng.standard_normal(len(samples)))
    return samples


@pytest.mark.parametrize("sound", ["silence", "dc", "clicks", "hiss", "hum"])
def test_what_is_not_speech_has_no_turns(diarizer, sound):
    rng = np.random.default_rng(0)
    samples = np.zeros(20 * RATE, np.float32)
    if sound == "dc":
        samples += 0.5
    elif sound == "clicks":
        samples[:: RATE // 2] = 0.9
    elif sound == "hiss":
        samples += np.float32(0.01 * rng.standard_normal(len(samples)))
    elif sound == "hum":
        samples += np.float32(0.1 * np.sin(2 * np.pi * 50 * np.arange(len(samples)) / RATE))
    assert diarizer.diarize(Audio(samples)).turns == ()


def test_constant_overlap_is_two_speakers_at_once(diarizer, voices):
    call, _, reader, _ = voices
    other = np.resize(call, len(reader))
    samples = np.float32(0.5 * (reader + other * np.abs(reader).mean() / np.abs(other).mean()))
    result = diarizer.diarize(Audio(samples))
    check(result, samples)
    assert sum(span.duration for span in overlapped(result.turns)) > 1


def test_ten_speakers_are_told_apart_when_their_number_is_known(diarizer, voices):
    people = [pitched(voice[: 6 * RATE], ratio) for ratio in (0.8, 0.95, 1.1, 1.3) for voice in voices[:3]][:10]
    samples = np.concatenate(people * 2)
    options = Options(num_speakers=10)
    result = diarizer.diarize(Audio(samples), options)
    check(result, samples, options)
    assert len(result.speakers) >= 8 or result.warnings


def test_who_is_heard_only_after_the_end_is_nobody(diarizer):
    """Chunks of ten seconds reach past a recording that is shorter than a frame of the networks."""
    noise = np.random.default_rng(0).normal(0, 0.01, RATE // 25).astype(np.float32)
    evidence = diarizer.evidence(Audio(noise))
    after = np.zeros_like(evidence.classes)
    after[0, 100:200] = 1
    embeddings = np.full(evidence.embeddings.shape, np.nan, np.float16)
    embeddings[0, 0] = 1
    found = diarizer.cluster(dataclasses.replace(evidence, classes=after, embeddings=embeddings))
    assert (found.turns, found.embeddings) == ((), {})
    check(found, noise)


@given(
    seconds=st.floats(0.02, 12),
    loudness=st.sampled_from([0.0, 1e-4, 0.01, 0.3, 1.0]),
    speech=st.booleans(),
    low=st.integers(1, 5),
    more=st.integers(0, 3),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sound_and_any_hint_give_a_consistent_answer(diarizer, voices, seconds, loudness, speech, low, more):
    size = int(seconds * RATE)
    rng = np.random.default_rng(size)
    samples = np.resize(np.concatenate(voices), size) if speech else rng.standard_normal(size)
    samples = np.float32(np.clip(samples * loudness, -1, 1))
    options = Options(min_speakers=low, max_speakers=low + more)
    result = diarizer.diarize(Audio(samples), options)
    check(result, samples, options)
    if len(result.speakers) < low and result.turns:
        assert result.warnings


def test_a_window_leaves_nothing_behind(diarizer, voices):
    samples = np.concatenate(voices)
    (window,) = diarizer.windows(len(samples))
    gc.collect()
    gc.disable()
    try:
        diarizer.segment_and_embed(samples, window)
        assert not [kept for kept in gc.get_objects() if isinstance(kept, OnePass)]
    finally:
        gc.enable()


@pytest.mark.parametrize("seconds", [3, 5])
def test_a_short_clip_is_near_to_its_own_voice_and_far_from_others(diarizer, voices, seconds):
    def voice(samples: np.ndarray) -> np.ndarray:
        return np.array(diarizer.diarize(Audio(samples), Options(num_speakers=1)).embeddings["SPEAKER_00"])

    reader, other = voice(voices[3]), voice(voices[1])
    clip = voice(voices[2][: seconds * RATE])
    assert clip @ reader > 0.6
    assert clip @ other < 0.4
