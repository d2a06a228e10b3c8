"""Speakr's pattern, with real voices: a long recording in two parts, and who is who kept from one to the other.

Speakr asks for the first part, takes the letters of the answer for names, cuts a clip of each voice out of the part,
and sends names and clips along with the second.
"""

import base64
import io
import wave

import numpy as np
import openai
import pytest

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.audio.transport import encode_flac
from diarist.engines import load
from diarist.weights.fetch import ensure

pytestmark = [pytest.mark.models, pytest.mark.slow]

PAUSE = 0.4
NAGG = [(4.7, 8.15), (11.9, 14.15), (17.5, 19.0), (20.2, 22.1), (23.6, 27.2)]
NELL = [(8.6, 11.5), (14.5, 17.1)]
READER = [(1.1, 4.65), (21.1, 24.1), (32.7, 36.6), (38.6, 41.7)]
"""When each of three people speaks alone: two in a play, one who reads. No sentence is in both parts."""


@pytest.fixture(scope="module")
def voices():
    play = decode(next(ensure("sample-two-voices").glob("*.wav")))
    book = decode(next(ensure("sample-reader").glob("*.wav")))
    spoken = {"nagg": (play, NAGG), "nell": (play, NELL), "reader": (book, READER)}

    def said(who, place):
        audio, stretches = spoken[who]
        start, end = stretches[place]
        return audio.samples[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]

    return said


@pytest.fixture(scope="module")
def joined(voices):
    """Join sentences to a conversation; gives it and who speaks from when to when."""

    def joined(*sentences):
        parts, truth, at = [], [], 0.0
        for who, place in sentences:
            samples = voices(who, place)
            truth.append((at, at + len(samples) / SAMPLE_RATE, who))
            parts += [samples, np.zeros(int(PAUSE * SAMPLE_RATE), np.float32)]
            at += len(samples) / SAMPLE_RATE + PAUSE
        return Audio(np.concatenate(parts)), truth

    return joined


@pytest.fixture(scope="module")
def client(start_module):
    server = start_module(load("whisper-base", "embedded"))
    with openai.OpenAI(api_key="none", base_url=f"{server.base_url}/v1", max_retries=0) as client:
        yield client


def asked(client, audio, **known):
    return client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=("part.flac", encode_flac(audio)),
        response_format="diarized_json",
        chunking_strategy="auto",
        **known,
    ).segments


def who_is_who(segments, truth):
    """Who a name of the answer is: the one who speaks for most of its time; and each name's share of that."""
    found = {}
    for segment in segments:
        for start, end, who in truth:
            shared = min(end, segment.end) - max(start, segment.start)
            if shared > 0:
                times = found.setdefault(segment.speaker, {})
                times[who] = times.get(who, 0) + shared
    return {name: max(times, key=times.get) for name, times in found.items()}


def clip(audio, segments, speaker, most=10.0):
    """The longest that a speaker says, as Speakr cuts it: a WAV in a data URL."""
    longest = max((s for s in segments if s.speaker == speaker), key=lambda s: s.end - s.start)
    part = audio.part(longest.start, min(longest.end, longest.start + most))
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes((part.samples * 32767).astype("<i2").tobytes())
    return "data:audio/wav;base64," + base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture(scope="module")
def first(client, joined):
    audio, truth = joined(("nagg", 0), ("nell", 0), ("nagg", 1))
    segments = asked(client, audio)
    return audio, segments, who_is_who(segments, truth)


@pytest.fixture(scope="module")
def second(joined):
    return joined(
        ("reader", 0), ("nagg", 4), ("nell", 1), ("reader", 1), ("nagg", 2), ("nagg", 3), ("reader", 2), ("reader", 3)
    )


def test_the_first_part_has_letters(first):
    assert sorted(first[2].items()) == [("A", "nagg"), ("B", "nell")]


@pytest.mark.parametrize("seconds", [2.0, 10.0])
def test_names_and_clips_keep_who_is_who_and_a_third_voice_gets_neither_name(client, first, second, seconds):
    audio, segments, _ = first
    names = ["A", "B"]
    clips = [clip(audio, segments, name, seconds) for name in names]
    found = asked(client, second[0], known_speaker_names=names, known_speaker_references=clips)
    assert who_is_who(found, second[1]) == {"A": "nagg", "B": "nell", "C": "reader"}


def test_who_is_known_and_not_heard_names_nobody(client, first, joined):
    audio, segments, _ = first
    reading, _ = joined(("reader", 0), ("reader", 1), ("reader", 2), ("reader", 3))
    clips = [clip(audio, segments, name) for name in ("A", "B")]
    found = asked(client, reading, known_speaker_names=["A", "B"], known_speaker_references=clips)
    assert {segment.speaker for segment in found} == {"C"}
