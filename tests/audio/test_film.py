"""In a film the centre speaks and the rest plays; what only looks like a film is mixed evenly."""

import io
import re
from difflib import SequenceMatcher

import av
import numpy as np
import pytest

from diarist.audio.audio import Audio
from diarist.audio.decode import decode
from diarist.transcription.whisper import load_whisper
from diarist.weights.fetch import ensure

RATE = 16_000
SECONDS = 4
LAYOUTS = {"5.1": "FL FR FC LFE BL BR", "5.1(side)": "FL FR FC LFE SL SR", "7.1": "FL FR FC LFE BL BR SL SR"}


def surround(channels, layout="5.1", codec="pcm_s16le", container="wav", rate=48_000):
    """A recording of ``{place: (num_samples,) float32}``; places without sound are silent."""
    places, length = LAYOUTS[layout].split(), len(next(iter(channels.values())))
    samples = np.stack([channels.get(place, np.zeros(length)) for place in places], axis=1).astype("f4")
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
        for at in range(0, len(samples), 1600):
            block = np.ascontiguousarray(samples[at : at + 1600]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="flt", layout=layout)
            frame.sample_rate, frame.pts = RATE, at
            for each in resampler.resample(frame):
                output.mux(stream.encode(each))
        for each in resampler.resample(None):
            output.mux(stream.encode(each))
        output.mux(stream.encode(None))
    return file.getvalue()


def tone(frequency, level=0.3):
    return level * np.sin(2 * np.pi * frequency * np.arange(RATE * SECONDS) / RATE)


def level(audio, frequency):
    """Amplitude of a tone in a recording."""
    samples = audio.samples[RATE : RATE * 3]
    return float(abs(samples @ np.exp(-2j * np.pi * frequency * np.arange(len(samples)) / RATE)) * 2 / len(samples))


@pytest.mark.parametrize(
    ("layout", "codec", "container"),
    [
        ("5.1", "ac3", "matroska"),
        ("5.1(side)", "eac3", "mp4"),
        ("5.1", "aac", "mp4"),
        ("7.1", "aac", "matroska"),
        ("5.1", "flac", "flac"),
        ("7.1", "flac", "matroska"),
        ("5.1(side)", "pcm_s16le", "wav"),
        ("7.1", "pcm_s16le", "wav"),
    ],
)
def test_the_centre_of_a_film_stands_out_of_what_plays_around_it(layout, codec, container):
    music = {
        place: tone(600 + 100 * n) for n, place in enumerate(LAYOUTS[layout].split()) if place not in ("FC", "LFE")
    }
    audio = decode(surround({"FC": tone(440), "LFE": tone(50), **music}, layout, codec, container))
    assert audio.warnings == ()
    speech = level(audio, 440)
    assert speech > 0.3 * 0.38  # at most 8.4 dB are lost
    assert all(level(audio, 600 + 100 * n) < speech / 3.5 for n in range(8))
    assert level(audio, 50) < 0.01


def test_a_film_whose_centre_is_silent_is_heard_from_its_sides():
    audio = decode(surround({"FL": tone(440), "FR": tone(440)}))
    assert level(audio, 440) == pytest.approx(0.3 / 4, rel=0.05)


@pytest.mark.parametrize(("codec", "container"), [("pcm_s16le", "wav"), ("flac", "flac"), ("pcm_s16le", "matroska")])
def test_six_microphones_are_mixed_evenly_even_if_written_down_as_a_film(codec, container):
    frequencies = dict(zip(LAYOUTS["5.1"].split(), (440, 540, 640, 740, 840, 940), strict=True))
    audio = decode(
        surround({place: tone(frequency) for place, frequency in frequencies.items()}, codec=codec, container=container)
    )
    assert audio.warnings == ()
    assert [round(level(audio, each), 3) for each in frequencies.values()] == [0.05] * 6


def test_one_microphone_in_the_place_for_low_tones_is_heard():
    rng = np.random.default_rng(0)
    said = np.repeat(rng.uniform(0, 1, SECONDS * 4) > 0.5, RATE // 4) * rng.normal(0, 0.1, RATE * SECONDS)
    audio = decode(surround({"LFE": said, "FC": tone(440, 0.1)}))
    assert np.corrcoef(audio.samples[: len(said)], said)[0, 1] > 0.4


def test_channels_of_a_film_that_cancel_each_other_are_not_mixed():
    audio = decode(surround({"FL": tone(440), "FR": -tone(440)}))
    assert level(audio, 440) > 0.05
    assert "cancel each other" in audio.warnings[-1]


def band(seed, loudness):
    """Plucked strings: ``(num_samples,)`` of 12 s, as loud on the mean as is asked."""
    rng = np.random.default_rng(seed)
    played = np.zeros(RATE * 12)
    time = np.arange(RATE * 3 // 2) / RATE
    for at in range(0, len(played), RATE // 4):
        pitch = rng.choice([110, 131, 165, 196, 220, 262, 330, 392, 440, 523])
        tones = sum(np.sin(2 * np.pi * pitch * n * time + rng.uniform(0, 6)) / n for n in range(1, 9))
        note = (np.exp(-2 * time) * tones)[: len(played) - at]
        played[at : at + len(note)] += note
    return played * loudness / np.sqrt(np.mean(played**2))


@pytest.mark.models
def test_dialogue_is_understood_with_music_as_loud_on_all_sides():
    """In the mean of all channels three words of 36 were heard here."""
    reading = decode(ensure("sample-reader") / "two_cities.wav").samples[: RATE * 12]
    loudness = np.sqrt(np.mean(reading**2))
    music = {place: band(seed, loudness) for seed, place in enumerate(("FL", "FR", "BL", "BR"))}
    film = decode(
        surround({"FC": reading, "LFE": np.resize(tone(50), len(reading)), **music}, codec="ac3", container="matroska")
    )
    whisper = load_whisper("whisper-tiny.en")
    alone, beside = (
        [re.sub(r"\W", "", word.text).lower() for word in whisper.transcribe(audio).words]
        for audio in (Audio(reading), film)
    )
    assert len(alone) > 25
    assert SequenceMatcher(None, alone, beside, autojunk=False).ratio() > 0.9
