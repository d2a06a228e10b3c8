"""What a job keeps, how it goes on from that, and how its speakers are found again without the recording."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
import sys
import threading

import numpy as np
import pytest

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.diarization.base import ReclusteringDiarizer
from diarist.model.errors import EngineError, InputError
from diarist.model.options import Options
from diarist.model.transcript import Diarization, ModelInfo, Transcription, Turn, Word
from diarist.pipelines.kept import Resumable
from diarist.pipelines.local import LocalPipeline
from diarist.weights.fetch import ensure

HUM = Audio(np.zeros(2 * SAMPLE_RATE, np.float32), ("It hums.",))


class Shelf(dict):
    """Keeps parts in memory. It is false as long as it is empty."""

    def keep(self, part, data):
        self[part] = data


class Folder:
    """Keeps parts in files."""

    def __init__(self, path):
        self.path = path

    def get(self, part):
        file = self.path / part
        return file.read_bytes() if file.exists() else None

    def keep(self, part, data):
        (self.path / part).write_bytes(data)


class Words:
    """Finds two words."""

    model = ModelInfo("transcription", "w", "r1", "t")

    def __init__(self):
        self.runs = 0

    def transcribe(self, audio, options=None, progress=None):
        self.runs += 1
        words = (Word(0, 1, "hum", 0.5), Word(1, 2, "hüm.", 0.25))
        return Transcription(words=words, language="en", duration=audio.duration, model=self.model, warnings=("W.",))


class Speakers:
    """Finds two speakers, with nothing to find them again in."""

    model = ModelInfo("diarization", "d", None, "t")

    def __init__(self):
        self.runs = 0

    def diarize(self, audio, options=None, progress=None):
        self.runs += 1
        return found(self.model, audio.duration, 2)


class Evidence(Speakers):
    """Finds as many speakers as were asked for, in evidence that is the length of the recording."""

    def diarize(self, audio, options=Options(), progress=None):
        return self.cluster(self.evidence(audio), options)

    def evidence(self, audio, progress=None):
        self.runs += 1
        return audio.duration

    def cluster(self, evidence, options=Options()):
        return found(self.model, evidence, options.num_speakers or 2)

    def pack(self, evidence):
        return b"seconds %r" % evidence

    def unpack(self, data):
        if not data.startswith(b"seconds "):
            raise InputError("bad_evidence", "This is none.")
        return float(data[8:])


def found(model, duration, number):
    turns = tuple(Turn(n * duration / number, (n + 1) * duration / number, f"S{n}") for n in range(number))
    return Diarization(turns=turns, exclusive=turns, duration=duration, model=model, warnings=("D.",))


def run(pipeline, kept, options=Options(), **more):
    return asyncio.run(pipeline.atranscribe(HUM, options, kept=kept, **more))


def told(transcript):
    """All that its JSON says, but how long it took."""
    return dataclasses.replace(transcript, timings={}).to_dict()


@pytest.fixture(params=[Speakers, Evidence])
def pipeline(request):
    return LocalPipeline(Words(), request.param())


def test_what_is_kept_makes_no_difference_to_the_transcript(pipeline):
    shelf = Shelf()
    plain = pipeline.transcribe(HUM)
    assert told(run(pipeline, shelf)) == told(run(pipeline, shelf)) == told(plain)
    assert plain.warnings == ("It hums.", "W.", "D.")
    assert set(shelf) == {"transcription", "evidence" if isinstance(pipeline.diarizer, Evidence) else "diarization"}


def test_a_second_attempt_computes_nothing_that_was_kept(pipeline):
    shelf = Shelf()
    run(pipeline, shelf)
    again = LocalPipeline(Words(), type(pipeline.diarizer)())
    words, stages = [], {}
    run(again, shelf, progress=stages.__setitem__, heard=words.extend)
    assert (again.transcriber.runs, again.diarizer.runs) == (0, 0)
    assert [word.text for word in words] == ["hum", "hüm."]
    assert (stages["transcription"], stages["diarization"]) == (1.0, 1.0)


def test_words_are_kept_when_their_leg_ends_not_when_the_job_does():
    kept, diarizer = threading.Event(), Speakers()

    class Watched(Shelf):
        def keep(self, part, data):
            super().keep(part, data)
            kept.set()

    def breaks_once_words_are_kept(*_):
        assert kept.wait(10)
        raise EngineError("broken", "It broke.")

    diarizer.diarize = breaks_once_words_are_kept
    pipeline, shelf = LocalPipeline(Words(), diarizer), Watched()
    with pytest.raises(EngineError):
        run(pipeline, shelf, Options(on_diarization_failure="fail"))
    assert set(shelf) == {"transcription"}
    del diarizer.diarize
    assert len(run(pipeline, shelf).speakers) == 2
    assert (pipeline.transcriber.runs, diarizer.runs) == (1, 1)


def changed(part, **fields):
    return json.dumps(json.loads(part) | fields).encode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda part: b"",
        lambda part: part[: len(part) // 2],
        lambda part: b"[" * 100_000,
        lambda part: b"null",
        lambda part: b"\xff\xfe\xfd",
        lambda part: changed(part, duration=3.0),
        lambda part: changed(part, model={"task": "transcription", "name": "another", "revision": None, "engine": "t"}),
        lambda part: changed(part, words=7, turns=7),
        lambda part: changed(part, words=json.loads(part).get("words", [])[::-1], turns=7),
    ],
)
def test_what_is_damaged_or_anothers_is_computed_again_and_kept(pipeline, damage):
    shelf = Shelf()
    whole = run(pipeline, shelf)
    for part in ("transcription", "diarization"):
        if part in shelf:
            sound, shelf[part] = shelf[part], damage(shelf[part])
            assert told(run(pipeline, shelf)) == told(whole)
            assert shelf[part] == sound
    assert pipeline.transcriber.runs == 2


@pytest.mark.parametrize("data", [b"", b"nonsense", b"seconds x", b"seconds 3.0"])
def test_evidence_that_is_damaged_or_anothers_is_found_again_and_kept(data):
    pipeline, shelf = LocalPipeline(Words(), Evidence()), Shelf()
    whole = run(pipeline, shelf)
    shelf["evidence"] = data
    assert told(run(pipeline, shelf)) == told(whole)
    assert shelf["evidence"] == b"seconds 2.0"
    assert (pipeline.transcriber.runs, pipeline.diarizer.runs) == (1, 2)


def test_what_keeping_raises_stops_the_job(pipeline):
    class Lost(Shelf):
        def keep(self, part, data):
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        run(pipeline, Lost())


def test_words_alone_keep_no_voices():
    shelf = Shelf()
    run(LocalPipeline(Words(), Evidence()), shelf, Options(diarize=False))
    assert set(shelf) == {"transcription"}


class TestAnotherNumberOfSpeakers:
    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_gives_what_a_whole_run_would_give(self, number):
        pipeline, shelf, options = LocalPipeline(Words(), Evidence()), Shelf(), Options(num_speakers=number)
        run(pipeline, shelf)
        again = pipeline.recluster(shelf["transcription"], shelf["evidence"], options)
        assert told(again) == told(pipeline.transcribe(HUM, options))
        assert len(again.speakers) == number
        assert again.diarization is not None  # for who names speakers afterwards

    def test_names_known_speakers(self):
        pipeline, shelf = LocalPipeline(Words(), Evidence()), Shelf()
        run(pipeline, shelf)
        again = pipeline.recluster(shelf["transcription"], shelf["evidence"], naming=lambda _: {"S1": "Ada"})
        assert again.speakers == ("SPEAKER_00", "Ada")

    @pytest.mark.parametrize("diarizer", [Speakers(), None])
    def test_is_refused_where_the_diarizer_cannot(self, diarizer):
        with pytest.raises(InputError, match="cannot find the speakers again") as caught:
            LocalPipeline(Words(), diarizer).recluster(b"", b"")
        assert caught.value.code == "cannot_recluster"

    @pytest.mark.parametrize(
        ("transcription", "evidence", "code"),
        [
            (b"", None, "not_json"),
            (b"{}", None, "bad_document"),
            (None, b"", "bad_evidence"),
            (None, b"seconds 7.0", "bad_evidence"),
        ],
    )
    def test_is_refused_in_one_line_where_parts_are_damaged_or_of_two_recordings(self, transcription, evidence, code):
        pipeline, shelf = LocalPipeline(Words(), Evidence()), Shelf()
        run(pipeline, shelf)
        parts = (shelf["transcription"] if transcription is None else transcription, evidence or b"")
        if evidence is None:
            parts = (parts[0], shelf["evidence"])
        with pytest.raises(InputError) as caught:
            pipeline.recluster(*parts)
        assert caught.value.code == code
        assert "\n" not in str(caught.value)


def test_who_can_go_on_can_be_told_from_who_cannot():
    from diarist.runpod.pipelines import EndpointPipeline, SplitPipeline

    assert isinstance(LocalPipeline(Words(), None), Resumable)
    assert not issubclass(SplitPipeline, Resumable)
    assert not issubclass(EndpointPipeline, Resumable)
    assert isinstance(Evidence(), ReclusteringDiarizer)


@pytest.fixture(scope="module")
def embedded():
    from diarist.engines import load

    return load("whisper-tiny.en", "embedded", threads=2)


@pytest.mark.models
@pytest.mark.parametrize(
    ("sample", "number"),
    [("sample-telephone", {"num_speakers": 1}), ("sample-two-voices", {"min_speakers": 3, "max_speakers": 4})],
)
def test_real_speech_is_clustered_again_to_what_a_whole_run_gives(embedded, sample, number, tmp_path):
    recording = Audio(decode(next(ensure(sample).glob("*.wav"))).samples[: 25 * SAMPLE_RATE])
    first = asyncio.run(embedded.atranscribe(recording, kept=Folder(tmp_path)))
    parts = (tmp_path / "transcription").read_bytes(), (tmp_path / "evidence").read_bytes()
    assert len(parts[1]) < 60_000 * recording.duration / 60
    assert json.dumps(told(embedded.recluster(*parts))) == json.dumps(told(first))
    options = Options(**number)
    again = embedded.recluster(*parts, options)
    assert json.dumps(told(again)) == json.dumps(told(embedded.transcribe(recording, options)))
    assert again.words
    assert len(again.speakers) != len(first.speakers)


@pytest.mark.models
def test_a_process_that_is_killed_between_its_legs_leaves_what_another_goes_on_from(embedded, tmp_path):
    """Words are on disk when the process ends without a word of farewell; the next one only looks for speakers."""
    recording = next(ensure("sample-two-voices").glob("*.wav"))
    code = f"""
import asyncio, os, sys
sys.path.insert(0, {str(__file__.rpartition("/")[0])!r})
from pathlib import Path
from test_kept import Folder
from diarist.engines import load

class Killed(Folder):
    def keep(self, part, data):
        super().keep(part, data)
        if part == sys.argv[1]:
            os._exit(9)

pipeline = load("whisper-tiny.en", "embedded", threads=2)
pipeline.together = False
asyncio.run(pipeline.atranscribe(sys.argv[2], kept=Killed(Path(sys.argv[3]))))
"""
    for part, there in (("transcription", {"transcription"}), ("evidence", {"transcription", "evidence"})):
        ended = subprocess.run([sys.executable, "-c", code, part, recording, tmp_path], timeout=300, check=False)
        assert ended.returncode == 9
        assert {file.name for file in tmp_path.iterdir()} == there
    stages = []
    again = asyncio.run(
        embedded.atranscribe(recording, progress=lambda *told: stages.append(told), kept=Folder(tmp_path))
    )
    assert {stage for stage in stages if stage[0] != "decode"} == {("transcription", 1.0), ("diarization", 1.0)}
    assert json.dumps(told(again)) == json.dumps(told(embedded.transcribe(recording)))
