"""A part of a recording: no option, one, or a wrong one."""

import pytest
from typer.testing import CliRunner

from diarist.audio.decode import decode
from diarist.cli import transcribe as command
from diarist.cli.app import app
from diarist.model.transcript import Segment, Transcript, Word
from diarist.pipelines.base import Pipeline


class Heard(Pipeline):
    async def atranscribe(self, recording, options=None, progress=None, *, naming=None, heard=None):
        audio = decode(recording)
        word = Word(0.0, 0.5, "Hello.")
        segment = Segment(0.0, 0.5, None, "Hello.", (word,))
        return Transcript(duration=audio.duration, language="en", speakers=(), segments=(segment,), turns=(), models=())


@pytest.mark.parametrize(
    ("options", "start"), [([], "00:00:00,000"), (["--start", "0:01", "--stop", "2"], "00:00:01,000")]
)
def test_times_are_those_of_the_whole_recording(options, start, tmp_path, monkeypatch):
    import wave

    path = tmp_path / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(96_000))
    monkeypatch.setattr(command, "open_place", lambda *_, **__: Heard())
    result = CliRunner().invoke(app, ["transcribe", str(path), "-f", "srt", "-q", *options])
    assert result.exit_code == 0, result.output
    assert f"{start} -->" in result.output
