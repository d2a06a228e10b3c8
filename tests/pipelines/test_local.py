"""Both engines in this process: what they are given, and what the transcript says of the recording."""

import asyncio

import numpy as np
import pytest

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.recording import Recording
from diarist.audio.transport import encode_flac
from diarist.model.errors import Cancelled, EngineError, InputError
from diarist.model.options import Options
from diarist.model.transcript import Diarization, ModelInfo, Transcription, Turn, Word
from diarist.pipelines.local import LocalPipeline

TONE = Audio((np.sin(np.arange(SAMPLE_RATE * 2) / 10) * 8192).round().astype(np.float32) / 32768, ("It hums.",))


class Words:
    """Finds one word."""

    model = ModelInfo("transcription", "w", None, "t")

    def transcribe(self, audio, options=None, progress=None):
        self.heard = audio
        return Transcription(words=(Word(0, 1, "hum"),), language="en", duration=audio.duration, model=self.model)


class Turns:
    """Finds one turn."""

    model = ModelInfo("diarization", "d", None, "t")

    def diarize(self, audio, options=None, progress=None):
        self.heard = audio
        turns = (Turn(0, 2, "A"),)
        return Diarization(turns=turns, exclusive=turns, duration=audio.duration, model=self.model)


def test_a_pipeline_without_a_diarizer_says_so():
    with pytest.raises(InputError, match="no diarizer"):
        LocalPipeline(transcriber=Words(), diarizer=None).transcribe(TONE)


@pytest.mark.parametrize("accident", [RuntimeError("CUDA error\nin a kernel"), KeyError("x"), MemoryError()])
class TestWhateverAnEngineRaises:
    """Failed engines are told from bugs of ours by where they failed, not by what they raise."""

    def test_is_a_warning_where_it_tells_speakers_apart(self, accident):
        turns = Turns()
        turns.diarize = raising(accident)
        transcript = LocalPipeline(Words(), turns).transcribe(TONE)
        assert transcript.text == "hum"
        assert f"d failed: {type(accident).__name__}" in transcript.warnings[-1]
        assert "\n" not in transcript.warnings[-1]

    def test_is_an_error_that_names_engine_and_accident_where_that_was_asked(self, accident):
        turns = Turns()
        turns.diarize = raising(accident)
        with pytest.raises(EngineError, match=f"d failed: {type(accident).__name__}") as caught:
            LocalPipeline(Words(), turns).transcribe(TONE, Options(on_diarization_failure="fail"))
        assert caught.value.__cause__ is accident

    def test_is_an_error_where_it_finds_the_words(self, accident):
        words = Words()
        words.transcribe = raising(accident)
        with pytest.raises(EngineError, match=f"w failed: {type(accident).__name__}"):
            LocalPipeline(words, Turns()).transcribe(TONE)


def test_what_the_callers_own_functions_raise_is_no_engines_failure():
    words = Words()

    def transcribe(audio, options, progress):
        progress("transcription", 0.5)

    def full_disk(stage, done):
        if stage == "transcription":
            raise OSError("no space left")

    words.transcribe = transcribe
    with pytest.raises(OSError, match="no space left"):
        LocalPipeline(words, Turns()).transcribe(TONE, progress=full_disk)


def raising(error):
    def work(*_):
        raise error

    return work


def test_a_recording_is_taken_in_every_shape(tmp_path):
    file = tmp_path / "hum.flac"
    file.write_bytes(encode_flac(TONE))
    pipeline = LocalPipeline(Words(), Turns())
    with file.open("rb") as opened:
        shapes = [TONE, Recording.of(TONE), str(file), file, file.read_bytes(), opened]
        transcripts = [pipeline.transcribe(shape) for shape in shapes]
    assert {(t.text, t.speakers, t.duration) for t in transcripts} == {("hum", ("SPEAKER_00",), 2.0)}


def test_a_recording_is_decoded_once_for_both_engines(tmp_path):
    file = tmp_path / "hum.flac"
    file.write_bytes(encode_flac(TONE))
    words, turns, recording = Words(), Turns(), Recording.of(TONE)
    LocalPipeline(words, turns).transcribe(recording)
    assert words.heard is turns.heard


def test_what_was_wrong_with_the_recording_leads_the_warnings_once():
    assert LocalPipeline(Words(), Turns()).transcribe(TONE).warnings == ("It hums.",)


def test_names_are_given_per_call():
    pipeline = LocalPipeline(Words(), Turns())
    assert pipeline.transcribe(TONE, naming=lambda _: {"A": "Ada"}).speakers == ("Ada",)
    assert pipeline.transcribe(TONE).speakers == ("SPEAKER_00",)


def test_it_runs_from_asynchronous_code_and_where_a_loop_runs_already():
    pipeline = LocalPipeline(Words(), Turns())

    async def notebook():
        return pipeline.transcribe(TONE), await pipeline.atranscribe(TONE)

    blocking, awaited = asyncio.run(notebook())
    assert blocking.text == awaited.text == "hum"


def test_without_diarization_no_diarizer_is_needed():
    assert LocalPipeline(Words(), None).transcribe(TONE, Options(diarize=False)).speakers == ()


def test_progress_that_raises_stops_it_while_it_reads(tmp_path):
    file = tmp_path / "long.flac"
    file.write_bytes(encode_flac(Audio(np.zeros(SAMPLE_RATE * 60, np.float32))))
    words = Words()

    def stop(stage, done):
        raise Cancelled

    with pytest.raises(Cancelled):
        LocalPipeline(words, None).transcribe(file, Options(diarize=False), stop)
    assert not hasattr(words, "heard")
