"""``--live``: words as they are found, on standard error; what is printed at the end does not change."""

import json

import pytest

from ..terminal import DIARIST, on_a_terminal

OPTIONS = ("--model", "whisper-tiny.en", "-q")


@pytest.mark.models
def test_words_come_in_order_and_are_those_of_the_transcript(diarist, call):
    plain = diarist("transcribe", call, "-f", "json", *OPTIONS)
    live = diarist("transcribe", call, "-f", "json", "--live", "--json-progress", *OPTIONS)
    told = [json.loads(line) for line in live.stderr.splitlines()]
    heard = [word for line in told if "words" in line for word in line["words"]]
    transcript = json.loads(live.stdout)
    words = [word for segment in transcript["segments"] for word in segment["words"]]
    assert heard == [{key: word[key] for key in ("start", "end", "text")} for word in words]
    assert len(heard) > 10
    assert transcript["segments"] == json.loads(plain.stdout)["segments"]


@pytest.mark.models
def test_times_are_those_of_the_whole_recording(diarist, call):
    done = diarist("transcribe", call, "--live", "--start", "0:12", "--stop", "0:20", "--no-diarize", *OPTIONS)
    assert done.stderr.startswith(("0:12  ", "0:13  ", "0:14  "))


@pytest.mark.slow
@pytest.mark.models
def test_on_a_terminal_they_stand_above_the_transcript(call):
    code, terminal, _ = on_a_terminal(*DIARIST, "transcribe", call, "--live", "--model", "whisper-tiny.en", columns=100)
    assert code == 0
    shown = "\n".join(terminal.lines)
    first_words = shown.index("0:0")
    assert first_words < shown.index("SPEAKER_00")


def test_separate_channels_have_no_order_before_the_end(diarist, call):
    done = diarist("transcribe", call, "--live", "--channels", "separate")
    assert done.returncode == 2
    assert "--live" in done.stderr
