"""A recording is cut into units that hold all of it, once."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.cluster.plan import units
from diarist.diarization.engine import WindowedDiarizer
from diarist.model.transcript import ModelInfo
from diarist.transcription.outline import Outline
from diarist.transcription.vad import FRAME_SECONDS, voice_regions
from diarist.transcription.windows import plan

# Of the trunk of the embedding network that comes with diarist, in hundredths of a second.
EMBEDDING = SimpleNamespace(block=1000, margin=104, subsampling=2)
DIARIZER = WindowedDiarizer(ModelInfo("diarization", "none", None, "none"), None, EMBEDDING, None)


def outline_of(seconds, seed, talking=0.7):
    """Voice that comes and goes at random for so many seconds."""
    chance = np.random.default_rng(seed)
    found = []
    while sum(map(len, found)) < seconds / FRAME_SECONDS:
        found.append(np.full(chance.integers(5, 400), 0.9 if chance.random() < talking else 0.1, np.float32))
    probability = np.concatenate(found)[: math.ceil(seconds / FRAME_SECONDS)]
    windows = plan(probability, seconds)
    return Outline(round(seconds * SAMPLE_RATE), probability, voice_regions(probability), windows)


LENGTHS = st.floats(0.1, 5000).map(lambda seconds: round(seconds * SAMPLE_RATE) / SAMPLE_RATE)


@given(LENGTHS, st.integers(0, 99), st.sampled_from([128, 192, 640]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_window_and_every_chunk_is_in_one_unit_that_has_its_samples(seconds, seed, chunks, diarize):
    outline = outline_of(seconds, seed)
    portions = DIARIZER.windows(outline.num_samples, chunks) if diarize else ()
    found = units(outline, portions, chunks)
    assert [unit.number for unit in found] == list(range(len(found)))
    windows = [window for unit in found if unit.words for window in unit.words.windows]
    assert windows == list(outline.windows)
    assert [unit.portion for unit in found if unit.portion] == list(portions)
    for unit in found:
        assert 0 <= unit.start <= unit.end <= outline.num_samples
        for window in unit.words.windows if unit.words else ():
            assert unit.start <= round(window.heard.start * SAMPLE_RATE)
            assert unit.end >= min(outline.num_samples, round(window.heard.end * SAMPLE_RATE))
        if unit.portion:
            assert unit.start <= unit.portion.start <= unit.portion.end <= unit.end


@given(st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_a_part_knows_the_voice_around_its_windows_as_the_whole_does(seed):
    outline = outline_of(900, seed)
    for unit in units(outline, (), 128):
        if unit.words is None:
            continue
        known = unit.words.from_start()
        for window in unit.words.windows:
            first, last = int(window.heard.start / FRAME_SECONDS), int((window.heard.end + 30) / FRAME_SECONDS)
            np.testing.assert_array_equal(known[first:last], outline.probability[first : min(last, len(known))])
            near = [region for region in outline.regions if region.intersection(window.heard) > 0]
            assert set(near) <= set(unit.words.regions)


def work(units, num_samples):
    """Chunks that are segmented, and seconds that go through the trunk if somebody always speaks."""
    block = EMBEDDING.block // 100
    chunks = trunk = 0
    for unit in units:
        first, last = unit.portion.first_chunk, unit.portion.last_chunk
        chunks += last - first
        blocks = range(first // block, math.ceil(min(last - 1 + 10, num_samples / SAMPLE_RATE) / block))
        trunk += len(blocks) * block
    return chunks, trunk


@pytest.mark.parametrize("hours", [1, 3, 12])
@pytest.mark.parametrize(("chunks", "more"), [(640, 0.03), (128, 0.15)])
def test_units_compute_hardly_more_than_a_single_pass(hours, chunks, more):
    outline = Outline(hours * 3600 * SAMPLE_RATE, np.zeros(0, np.float32), (), ())
    whole = work(units(outline, DIARIZER.windows(outline.num_samples)), outline.num_samples)
    cut = work(units(outline, DIARIZER.windows(outline.num_samples, chunks), chunks), outline.num_samples)
    assert cut[0] == whole[0]
    assert whole[1] <= cut[1] <= (1 + more) * whole[1]


@pytest.mark.parametrize("hours", [1, 3])
def test_what_is_sent_is_not_much_more_than_the_recording(hours):
    outline = outline_of(hours * 3600, 2)
    found = units(outline, DIARIZER.windows(outline.num_samples, 640), 640)
    assert sum(unit.num_bytes for unit in found) < 1.15 * 2 * outline.num_samples
    assert max(unit.num_bytes for unit in found) < 25e6


def test_samples_travel_in_sixteen_bits_without_loss():
    values = np.arange(-32768, 32768, dtype=np.float32) / 32768
    audio = Audio(np.tile(values, 3))
    (unit,) = units(outline_of(len(audio.samples) / SAMPLE_RATE, 3), DIARIZER.windows(len(audio.samples)))
    sent = unit.cut(audio)
    assert sent.dtype == np.int16
    np.testing.assert_array_equal(sent.astype(np.float32) / np.float32(32768), audio.samples[unit.start : unit.end])
