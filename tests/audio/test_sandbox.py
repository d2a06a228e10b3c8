"""A recording from a stranger is decoded in a child process, and breaks nothing but that."""

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from diarist.audio.decode import decode, decode_channels, probe
from diarist.audio.recording import Recording, as_recording
from diarist.audio.sandbox import Sandbox
from diarist.model.errors import Cancelled, EngineError, InputError

KILLER = Path(__file__).parents[1] / "killer"


@pytest.fixture
def sandbox():
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
def breakable(monkeypatch):
    """A sandbox whose decoder is broken by certain bytes."""
    monkeypatch.syspath_prepend(KILLER)
    made = []

    def make(**bounds):
        made.append(Sandbox(**bounds))
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.close()


def refusal(sandbox, source, **options):
    with pytest.raises(InputError) as caught:
        sandbox.decode(as_recording(source), **{"max_seconds": 3600, **options})
    assert "\n" not in str(caught.value)
    return caught.value.code, caught.value.http_status, str(caught.value)


def children():
    """Decoders that this process has started and that live."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and b"diarist.audio.sandboxed" in (entry / "cmdline").read_bytes():
                parent = re.search(r"PPid:\s+(\d+)", (entry / "status").read_text())[1]
                found += [int(entry.name)] if int(parent) == os.getpid() else []
    return found


RECORDINGS = {
    "a call": ("wav", "pcm_mulaw", 8_000),
    "music": ("mp3", "libmp3lame", 44_100),
    "a memo": ("ipod", "aac", 44_100),
    "a note": ("ogg", "libopus", 48_000),
    "an archive": ("flac", "flac", 96_000),
}


@pytest.mark.parametrize("kind", RECORDINGS)
def test_samples_are_the_same_in_a_child(kind, sandbox, encode, tone):
    container, codec, rate = RECORDINGS[kind]
    data = encode(container, codec, tone(11.0, rate, channels=2), rate)
    here, there = decode(data), sandbox.decode(as_recording(data), max_seconds=60)
    assert there.samples.dtype == np.float32
    np.testing.assert_array_equal(here.samples, there.samples)
    assert here.warnings == there.warnings


def test_warnings_and_the_gain_come_along(sandbox, wav, tone):
    data = wav((tone(2.0) * 200).astype(np.int16))[:-40_000]
    here, there = decode(data), sandbox.decode(as_recording(data), max_seconds=60)
    assert len(there.warnings) == 2
    assert here.warnings == there.warnings
    np.testing.assert_array_equal(here.samples, there.samples)


def test_channels_that_cancel_each_other_are_decoded_anew_in_the_child(sandbox, wav, tone):
    left = tone(2.0)
    data = wav(np.hstack([left, -left]))
    np.testing.assert_array_equal(sandbox.decode(as_recording(data), max_seconds=60).samples, decode(data).samples)


def test_channels_each_on_its_own(sandbox, wav, tone):
    data = wav(np.hstack([tone(2.0), tone(2.0) // 2, 0 * tone(2.0)]))
    expected = decode_channels(as_recording(data))
    found = sandbox.decode_channels(as_recording(data), max_seconds=60)
    assert len(found) == len(expected) == 3
    for here, there in zip(expected, found, strict=True):
        np.testing.assert_array_equal(here.samples, there.samples)
        assert here.warnings == there.warnings


def test_the_channels_of_a_large_desk_come_back_and_more_than_ffmpeg_takes_are_refused(sandbox, wav):
    found = sandbox.decode_channels(as_recording(wav(np.ones((1600, 32), np.int16))), max_seconds=60)
    assert [len(audio.samples) for audio in found] == [1600] * 32
    with pytest.raises(InputError):
        sandbox.decode_channels(as_recording(wav(np.ones((1600, 65), np.int16))), max_seconds=60)
    assert sandbox.probe(as_recording(wav(np.ones((1600, 1), np.int16)))) == 0.1


def test_a_length_is_told_by_the_head(sandbox, wav, tone):
    assert sandbox.probe(as_recording(wav(tone(11.0)))) == 11.0
    with pytest.raises(InputError, match="not") as caught:
        sandbox.probe(as_recording(b"no sound"))
    assert caught.value.code == "audio_not_recognised"
    assert sandbox.decode(as_recording(wav(tone(1.0))), max_seconds=60).duration == 1.0


def test_a_length_that_no_head_tells_is_the_same_in_a_child(sandbox, encode, tone):
    data = encode("adts", "aac", tone(3.0), 16_000)
    assert sandbox.probe(as_recording(data)) == probe(as_recording(data))


def test_files_and_streams_are_read_from_where_they_stand(sandbox, wav, tone, tmp_path):
    data = wav(tone(1.0))
    expected = decode(data).samples
    path = tmp_path / "a.wav"
    path.write_bytes(b"x" * 10_000 + data)
    with path.open("rb") as file:
        file.read(10_000)
        np.testing.assert_array_equal(sandbox.decode(as_recording(file), max_seconds=60).samples, expected)
    stream = io.BytesIO(b"x" * 77 + data)
    stream.seek(77)
    recording = Recording("a stream", lambda _: contextlib.nullcontext(stream))
    np.testing.assert_array_equal(sandbox.decode(recording, max_seconds=60).samples, expected)


def test_the_recording_keeps_its_samples(sandbox, wav, tone):
    recording = as_recording(wav(tone(1.0)))
    assert sandbox.decode(recording, max_seconds=60) is decode(recording)


def test_samples_may_be_written_into_and_stay_when_the_child_is_gone(sandbox, wav, tone):
    audio = sandbox.decode(as_recording(wav(tone(1.0))), max_seconds=60)
    sandbox.close()
    audio.samples[:100] = 0
    assert audio.samples[100:].any()


@pytest.mark.skipif(not Path("/proc").exists(), reason="counts processes in /proc")
def test_one_child_does_one_recording_after_another(sandbox, wav, tone):
    sandbox.start()
    refusal(sandbox, b"no sound")
    (child,) = children()
    for seconds in (0.5, 1.0, 1.5):
        assert sandbox.decode(as_recording(wav(tone(seconds))), max_seconds=60).duration == seconds
        assert refusal(sandbox, b"no sound")[0] == "audio_not_recognised"
        assert children() == [child]
    sandbox.close()
    assert children() == []


def test_several_recordings_at_the_same_time(sandbox, wav, tone):
    recordings = [as_recording(wav(tone(1.0 + number))) for number in range(4)]
    threads = [threading.Thread(target=sandbox.decode, args=(r,), kwargs={"max_seconds": 60}) for r in recordings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [decode(recording).duration for recording in recordings] == [1.0, 2.0, 3.0, 4.0]


def test_refusals_are_those_of_decode(sandbox, wav, tone):
    for data in (b"", b"no sound", wav(np.zeros((0, 1), np.int16)), wav(tone(4.0))):
        with pytest.raises(InputError) as here:
            decode(data, max_seconds=2)
        assert refusal(sandbox, data, max_seconds=2) == (here.value.code, here.value.http_status, str(here.value))


def test_progress_is_passed_on_and_cancels(sandbox, wav):
    data = wav(np.zeros((16_000 * 60, 1), np.int16))
    steps = []
    sandbox.decode(as_recording(data), max_seconds=60, progress=lambda stage, done: steps.append((stage, done)))
    assert {stage for stage, _ in steps} == {"decode"}
    assert [done for _, done in steps] == sorted(done for _, done in steps)
    assert steps[-1][1] == 1.0
    assert len(steps) >= 5

    def cancel(stage, done):
        raise Cancelled

    with pytest.raises(Cancelled):
        sandbox.decode(as_recording(data), max_seconds=60, progress=cancel)
    assert sandbox.decode(as_recording(data), max_seconds=60).duration == 60


def test_a_decoder_that_says_nothing_can_be_cancelled(breakable):
    sandbox = breakable()
    began = time.monotonic()

    def cancel(stage, done):
        if time.monotonic() - began > 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        sandbox.decode(as_recording(b"sleeps"), max_seconds=60, progress=cancel)
    assert children() == []


@pytest.mark.parametrize(
    ("does", "says"),
    [
        (b"kills SIGFPE", "cannot be decoded: the decoder broke (SIGFPE)."),
        (b"kills SIGSEGV", "cannot be decoded: the decoder broke (SIGSEGV)."),
        (b"ends", "cannot be decoded: the decoder broke."),
        (b"says nonsense", "cannot be decoded: the decoder broke."),
        (b"says a list", "cannot be decoded: the decoder broke."),
        (b"says samples", "cannot be decoded: the decoder broke."),
        (b"says an error", "cannot be decoded: the decoder broke."),
        (b"says no end", "cannot be decoded: the decoder broke."),
        (b"breaks", "cannot be decoded: the decoder broke."),
        (b"spins", "cannot be decoded: it takes too long."),
    ],
)
def test_what_breaks_the_decoder_is_refused_and_the_next_recording_is_decoded(does, says, breakable, wav, tone):
    sandbox = breakable(cpu_seconds=1)
    code, status, told = refusal(sandbox, does)
    assert (code, status) == ("audio_breaks_decoder", 422)
    assert told == f"recording {says} Convert it to FLAC or WAV first."
    assert sandbox.decode(as_recording(wav(tone(1.0))), max_seconds=60).duration == 1.0


def test_what_takes_all_memory_is_refused(breakable, wav, tone):
    sandbox = breakable(memory_bytes=200 << 20)
    assert refusal(sandbox, b"grows")[:2] == ("audio_too_large", 413)
    assert sandbox.decode(as_recording(wav(tone(1.0))), max_seconds=60).duration == 1.0


def test_a_recording_that_broke_two_decoders_is_not_tried_again(breakable, wav, tone):
    sandbox = breakable()
    for _ in range(2):
        assert "the decoder broke (SIGSEGV)" in refusal(sandbox, b"kills SIGSEGV, me")[2]
    assert "broke the decoder before, and is not tried again" in refusal(sandbox, b"kills SIGSEGV, me")[2]
    assert "the decoder broke (SIGSEGV)" in refusal(sandbox, b"kills SIGSEGV, another")[2]
    assert sandbox.decode(as_recording(wav(tone(1.0))), max_seconds=60).duration == 1.0


def test_a_recording_is_not_to_blame_where_the_system_ended_the_decoder(breakable):
    sandbox = breakable()
    for _ in range(3):
        assert "the decoder broke (SIGKILL)" in refusal(sandbox, b"killed by the system")[2]


def test_no_recording_is_to_blame_where_no_child_starts(sandbox, wav, tone, monkeypatch):
    recording = as_recording(wav(tone(1.0)))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", shutil.which("false"))
        for _ in range(3):
            with pytest.raises(EngineError) as caught:
                sandbox.decode(recording, max_seconds=60)
            assert caught.value.code == "no_decoder"
    assert sandbox.decode(recording, max_seconds=60).duration == 1.0


def test_nothing_is_said_where_a_process_ends_without_closing_it():
    script = (
        "from diarist.audio.sandbox import Sandbox; from diarist.audio.recording import as_recording\n"
        "sandbox = Sandbox()\n"
        "try: sandbox.decode(as_recording(b'no sound'), max_seconds=60)\n"
        "except ValueError as error: print(error.code)"
    )
    done = subprocess.run([sys.executable, "-W", "always", "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("audio_not_recognised\n", "")


def test_a_child_that_died_while_idle_is_replaced(sandbox, wav, tone):
    sandbox.decode(as_recording(wav(tone(1.0))), max_seconds=60)
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        time.sleep(0.01)
    assert sandbox.decode(as_recording(wav(tone(1.0))), max_seconds=60).duration == 1.0


def test_the_child_knows_nothing_of_the_workers_environment(sandbox, monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", "secret")
    refusal(sandbox, b"no sound")
    (child,) = children()
    assert b"secret" not in Path(f"/proc/{child}/environ").read_bytes()


def memory(process, kind):
    return int(re.search(rf"{kind}:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1]) / 2**10


def test_long_recordings_are_in_memory_once(sandbox, wav, tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(wav(np.ones((16_000 * 60 * 40, 1), np.int16)))
    sandbox.decode(as_recording(wav(np.ones((1600, 1), np.int16))), max_seconds=3600)
    (child,) = children()
    before = {process: memory(process, "RssAnon") for process in ("self", child)}
    audio = sandbox.decode(as_recording(path), max_seconds=3600)
    assert audio.samples.any()
    assert audio.samples.nbytes > 140 << 20
    for process, anonymous in before.items():
        assert memory(process, "RssAnon") - anonymous < 24
    assert memory(child, "RssShmem") < 24  # what it has handed over it lets go of
