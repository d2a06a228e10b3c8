"""The main job, as users run it: real speech, real models, a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from diarist.audio.decode import decode
from diarist.cli.asking import read_hotwords
from diarist.model.errors import InputError
from diarist.weights.fetch import ensure

pytestmark = pytest.mark.models


def wav(path, samples, rate=16_000):
    """Write ``(num_samples,)`` or ``(num_samples, num_channels)`` samples."""
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def transcript(diarist, call):
    """The call's transcript as JSON."""
    done = diarist("transcribe", call, "-f", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_call_gives_two_speakers_who_say_what_they_said(transcript):
    assert transcript["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
    text = " ".join(segment["text"] for segment in transcript["segments"]).lower()
    assert "hello" in text
    assert {word["speaker"] for segment in transcript["segments"] for word in segment["words"]} == {
        "SPEAKER_00",
        "SPEAKER_01",
    }


def test_the_document_has_the_shape_that_scripts_rely_on(transcript):
    assert list(transcript) == [
        "schema", "duration", "language", "speakers", "segments", "turns", "models", "timings", "warnings", "place",
        "spoken_language", "task", "temperature",
    ]  # fmt: skip
    assert transcript["schema"] == "diarist.transcript/1"
    assert transcript["duration"] == pytest.approx(30.0, abs=0.01)
    assert (transcript["spoken_language"], transcript["task"], transcript["temperature"]) == ("en", "transcribe", 0.0)
    assert {"start", "end", "speaker", "text", "words"} == transcript["segments"][0].keys()
    assert {"start", "end", "text", "speaker", "confidence"} <= transcript["segments"][0]["words"][0].keys()
    assert {"start", "end", "speaker"} <= transcript["turns"][0].keys()
    assert {model["task"] for model in transcript["models"]} == {"transcription", "diarization"}


def test_words_are_in_order_and_inside_the_recording(transcript):
    words = [word for segment in transcript["segments"] for word in segment["words"]]
    assert all(0 <= word["start"] < word["end"] <= transcript["duration"] for word in words)
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)


def test_printing_keeps_progress_off_standard_output(diarist, call):
    done = diarist("transcribe", call, "--no-diarize", "-q")
    assert done.returncode == 0
    assert done.stdout.startswith("[0:00:0")
    assert "SPEAKER" not in done.stdout
    assert done.stderr == ""


def test_progress_as_json_lines(diarist, call):
    done = diarist("transcribe", call, "--json-progress", "-f", "rttm")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    stages = {line["stage"] for line in lines if "stage" in line}
    assert {"decode", "transcription", "diarization"} <= stages
    assert all(0 <= line["done"] <= 1 for line in lines if "done" in line)


def test_standard_input_is_a_recording_too(diarist, call):
    with call.open("rb") as file:
        done = diarist("transcribe", "-", "--no-diarize", "-f", "srt", stdin=file)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1\n00:00:0")


def test_a_voice_in_two_channels_of_four_is_written_once(diarist, call, tmp_path):
    """Recorders write each microphone to a pair of channels."""
    reader = decode(ensure("sample-reader") / "two_cities.wav").samples[: 16_000 * 8]
    answer = decode(call).samples[: 16_000 * 8]
    hush = np.random.default_rng(0).normal(0, 1e-4, (16_000 * 8, 2))
    one, two = np.concatenate([reader, hush[:, 0]]), np.concatenate([hush[:, 1], answer])
    one, two = one + 0.01 * two, two + 0.01 * one
    one_again, two_again = 0.8 * np.roll(one, 80), -0.7 * two

    def spoken(name, *channels):
        path = wav(tmp_path / name, np.stack(channels, axis=1))
        asked = ("--channels", "separate", "--speakers", "2", "--model", "whisper-tiny.en", "-f", "json")
        done = diarist("transcribe", path, *asked)
        assert done.returncode == 0, done.stderr
        transcript = json.loads(done.stdout)
        segments = [(segment["speaker"], segment["text"]) for segment in transcript["segments"]]
        return segments, [line for line in transcript["warnings"] if "same sound" in line]

    two_channels, quiet = spoken("two.wav", one, two)
    assert [quiet, {speaker for speaker, _ in two_channels}] == [[], {"SPEAKER_00", "SPEAKER_01"}]
    assert spoken("four.wav", one, one_again, two_again, two) == (
        two_channels,
        [
            "Channels 0 and 1 hold the same sound, so they were taken for one party.",
            "Channels 2 and 3 hold the same sound, so they were taken for one party.",
        ],
    )


def test_a_batch_goes_on_past_a_bad_file_and_says_so(diarist, call, tmp_path):
    (tmp_path / "bad.mp3").write_text("this is not sound")
    (tmp_path / "call.wav").symlink_to(call)
    done = diarist("transcribe", tmp_path, "-o", tmp_path / "out", "-f", "txt", "-f", "rttm")
    assert done.returncode == 1
    assert "1 of 2 recordings transcribed; failed: bad.mp3." in done.stderr
    assert sorted(os.listdir(tmp_path / "out")) == ["call.rttm", "call.txt"]


def test_a_batch_is_told_once_and_in_one_line_which_models_are_better_and_how_large_they_are(diarist, tmp_path):
    for name in ("a.wav", "b.wav", "c.wav"):
        wav(tmp_path / name, np.zeros(16_000))
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hub")}
    done = diarist("transcribe", tmp_path, "-o", tmp_path / "out", "--language", "en", env=environment)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "better" in line] == [
        "words: whisper-base, speakers: embedded; better: "
        "diarist models pull parakeet-tdt-0.6b-v2-onnx community-1 (about 661 MB, about 33 MB)"
    ]


@pytest.mark.parametrize(
    ("name", "make", "code"),
    [
        ("missing.wav", lambda path: None, 2),
        ("empty.wav", lambda path: path.touch(), 2),
        ("notes.mp3", lambda path: path.write_text("Dear diary, today I renamed a file."), 2),
        ("folder.wav", lambda path: (path.mkdir(), (path / "x.txt").touch()), 2),
    ],
)
def test_bad_input_gets_one_line_that_names_the_file(diarist, tmp_path, name, make, code):
    make(tmp_path / name)
    done = diarist("transcribe", tmp_path / name)
    assert done.returncode == code
    assert done.stdout == ""
    error = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(error) == 1
    assert name in error[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(16_000 * 10), id="silence"),
        pytest.param(np.sin(2 * np.pi * 440 * np.arange(16_000 * 10) / 16_000) * 0.3, id="a tone"),
        pytest.param(np.random.default_rng(0).normal(0, 0.1, 16_000 * 10), id="noise"),
        pytest.param(np.zeros(1), id="one sample"),
        pytest.param(
            sum(np.sin(2 * np.pi * f * np.arange(16_000 * 12) / 16_000) for f in (261.6, 329.6, 392.0))
            * (0.1 + 0.1 * np.sign(np.sin(2 * np.pi * 2 * np.arange(16_000 * 12) / 16_000))),
            id="chords",
        ),
    ],
)
def test_what_is_not_speech_gives_no_words(diarist, tmp_path, samples):
    done = diarist("transcribe", wav(tmp_path / "quiet.wav", samples), "-f", "json")
    assert done.returncode == 0, done.stderr
    transcript = json.loads(done.stdout)
    assert (transcript["segments"], transcript["speakers"]) == ([], [])


def test_a_full_disk_is_told_in_one_line(diarist, call):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "diarist", "transcribe", str(call), "--no-diarize", "-q"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: Cannot write the transcript: No space left on device.")


def test_ctrl_c_stops_cleanly_and_keeps_finished_files(call, tmp_path):
    for name in ("a.wav", "b.wav", "c.wav", "d.wav"):
        (tmp_path / name).symlink_to(call)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "diarist", "transcribe", str(tmp_path), "-o", str(out)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 90
    while not (out / "a.txt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "error: Cancelled." in errors
    assert "Traceback" not in errors
    assert "a.txt" in os.listdir(out)
    assert len(os.listdir(out)) < 4
    assert all(name.endswith(".txt") and not name.startswith(".") for name in os.listdir(out))


def test_one_thread_keeps_one_cpu_busy(call):
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "diarist", "transcribe", str(call), "--threads", "1", "-q"], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    # Other work on the machine makes the left side no larger.
    assert usage.ru_utime + usage.ru_stime <= 1.1 * (time.monotonic() - began)


def test_a_file_after_o_is_written_in_the_format_of_its_name_and_again(diarist, call, tmp_path):
    for language in ("English", "en-GB"):
        done = diarist("transcribe", call, "--no-diarize", "-q", "--language", language, "-o", tmp_path / "call.srt")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert (tmp_path / "call.srt").read_text().startswith("1\n00:00:0")
    assert os.listdir(tmp_path) == ["call.srt"]
    (tmp_path / "call.srt").write_text("corrected by hand")
    done = diarist("transcribe", call, "--no-diarize", "-q", "-o", tmp_path / "call.srt")
    assert (done.returncode, (tmp_path / "call.srt").read_text()) == (2, "corrected by hand")
    assert "--overwrite" in done.stderr


def test_a_transcript_that_could_not_be_written_is_kept(diarist, call):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "diarist", "transcribe", str(call), "--no-diarize", "-q", "-f", "vtt"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    kept = Path(done.stderr.rpartition("kept in ")[2].strip())
    assert json.loads(kept.read_text())["segments"]


def test_whatever_one_recording_raises_the_others_are_done(call, tmp_path, capsys, monkeypatch):
    from diarist.audio import decode as audio
    from diarist.cli import app

    decode = audio.decode

    def fragile(source, **options):
        if source.name == "bad.wav":
            raise ZeroDivisionError
        return decode(source, **options)

    monkeypatch.setattr("diarist.audio.decode.decode", fragile)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    for name in ("bad.wav", "good.wav"):
        (tmp_path / name).symlink_to(call)
    with pytest.raises(SystemExit) as caught:
        app.main(["transcribe", str(tmp_path), "-q", "--no-diarize", "-o", str(tmp_path / "out")])
    assert caught.value.code == 1
    assert os.listdir(tmp_path / "out") == ["good.txt"]
    assert "bad.wav: ZeroDivisionError" in capsys.readouterr().err


class TestHotwords:
    """Words, or a file of them."""

    def test_a_list_may_be_longer_than_a_name_of_a_file(self):
        words = tuple(f"word{number}" for number in range(150))
        assert read_hotwords(", ".join(words)) == words

    def test_a_file_may_begin_with_a_byte_order_mark(self, tmp_path):
        (tmp_path / "names.txt").write_bytes("\ufeffZoë\r\n\r\nvan  Dijk\n".encode())
        assert read_hotwords(str(tmp_path / "names.txt")) == ("Zoë", "van Dijk")

    def test_a_file_that_is_not_there_is_no_word(self):
        with pytest.raises(InputError, match=r"no file nmaes\.txt"):
            read_hotwords("nmaes.txt")

    def test_a_file_that_is_no_text_is_refused(self, tmp_path):
        (tmp_path / "names.txt").write_text("Zoë", encoding="utf-16")
        with pytest.raises(InputError, match="is not UTF-8 text"):
            read_hotwords(str(tmp_path / "names.txt"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-o", "/proc/out"], "Cannot write into /proc"),
        (["-o", "out.json", "-f", "srt"], "out.json says json"),
        (["--model", "lagre-v3"], "Did you mean whisper-large-v3"),
        (["--model", "tiny.en", "--language", "German"], "does not know the language 'de'"),
        (["--diarizer", "pyanote"], "no diarization model"),
        (["--language", "Englsh"], "Did you mean English"),
        (["--hotwords", "gone.txt"], "no file gone.txt"),
        (["--on", "runpod:everywhere"], "Choose from local, runpod:single"),
    ],
)
def test_wrong_options_are_told_before_a_model_is_loaded_or_fetched(diarist, call, tmp_path, options, says):
    nowhere = {**os.environ, "DIARIST_CACHE": str(tmp_path / "cache"), "HF_HOME": str(tmp_path / "cache")}
    done = diarist("transcribe", call, *options, env=nowhere, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert os.listdir(tmp_path) == []


def test_wrong_usage_is_told_before_any_work(diarist):
    assert diarist("transcribe", "a.wav", "-f", "pdf").returncode == 2
    assert diarist("transcribe", "a.wav", "--speakers", "2", "--max-speakers", "3").returncode == 2
    assert diarist("transcribe", "a.wav", "--speakers", "0").returncode == 2
    assert diarist("transcribe", "a.wav", "--device", "tpu").returncode == 2
    assert diarist("transcribe").returncode == 2
