"""What will be read and written is decided, and refused, before any work starts; files appear whole or not at all."""

import os
from pathlib import Path

import pytest

from diarist.cli.outputs import plan_jobs, write_all
from diarist.model.errors import InputError
from diarist.model.transcript import Transcript

EMPTY = Transcript(duration=0.0, language=None, speakers=(), segments=(), turns=(), models=())


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def targets(jobs):
    return [str(path) for job in jobs for path in job.targets.values()]


def test_one_input_without_a_folder_is_printed():
    (job,) = plan_jobs(["call.mp3"], None, None)
    assert (job.source, job.formats, dict(job.targets)) == ("call.mp3", ("txt",), {})


def test_a_folder_gives_its_recordings_in_order_under_their_own_names(tmp_path):
    touch(tmp_path, "b.mp3", "a.wav", "deep/c.mkv", "notes.txt", ".hidden.mp3")
    jobs = plan_jobs([str(tmp_path)], ["srt"], Path("out"))
    assert targets(jobs) == ["out/a.srt", "out/b.srt", "out/deep/c.srt"]


def test_recordings_of_the_same_name_keep_their_suffix():
    jobs = plan_jobs(["a.mp3", "a.wav", "b.wav"], ["txt"], Path("out"))
    assert targets(jobs) == ["out/a.mp3.txt", "out/a.wav.txt", "out/b.txt"]


def test_a_url_is_named_after_its_last_part_without_its_query():
    jobs = plan_jobs(["https://example.org/talks/my%20talk.mp3?token=secret"], ["json"], Path("out"))
    assert targets(jobs) == ["out/my talk.json"]


@pytest.mark.parametrize(
    ("paths", "formats", "says"),
    [
        (["a.mp3", "b.mp3"], None, "Add -o DIR"),
        (["a.mp3"], ["txt", "srt"], "Add -o DIR"),
        (["a.mp3"], ["pdf"], "Choose from: txt"),
    ],
)
def test_what_cannot_work_is_refused_at_once(paths, formats, says):
    with pytest.raises(InputError) as caught:
        plan_jobs(paths, formats, None)
    assert says in str(caught.value)


def test_two_recordings_for_one_file_are_refused():
    with pytest.raises(InputError, match="both be written"):
        plan_jobs(["x/a.mp3", "y/a.mp3"], ["txt"], Path("out"))


def test_a_folder_without_recordings_is_refused(tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(InputError, match="no recordings"):
        plan_jobs([str(tmp_path)], None, Path("out"))


def test_writing_makes_folders_and_replaces_what_was_there(tmp_path):
    target = tmp_path / "deep" / "a.rttm"
    write_all(EMPTY, "a", {"rttm": target})
    write_all(EMPTY, "a", {"rttm": target})
    assert target.read_text() == ""
    assert os.listdir(target.parent) == ["a.rttm"]


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(InputError, match="Cannot write"):
        write_all(EMPTY, "a", {"txt": tmp_path / "a.txt"})
    assert os.listdir(tmp_path) == ["a.txt"]
