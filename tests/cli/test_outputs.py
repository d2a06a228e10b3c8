"""What will be read and written is decided, and refused, before any work starts; files appear whole or not at all."""

import json
import os
import resource
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.cli.outputs import check_jobs, plan_jobs, write_all
from diarist.formats import FORMATS
from diarist.model.errors import InputError
from diarist.model.transcript import Segment, Transcript, Turn, Word

EMPTY = Transcript(duration=0.0, language=None, speakers=(), segments=(), turns=(), models=())
SPOKEN = Transcript(
    duration=9.0,
    language="en",
    speakers=("A", "B"),
    segments=(Segment(0, 1, "A", "hello", (Word(0, 1, "hello", 0.9, "A"),)),),
    turns=(Turn(0, 1, "A"), Turn(5, 6, "B")),
    models=(),
)


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def targets(jobs):
    return [str(path) for job in jobs for path in job.targets.values()]


def test_one_input_without_a_folder_is_printed():
    for out in (None, "-"):
        (job,) = plan_jobs(["call.mp3"], None, out)
        assert (job.source, job.formats, dict(job.targets)) == ("call.mp3", ("txt",), {})


def test_a_folder_gives_its_recordings_in_order_under_their_own_names(tmp_path):
    touch(tmp_path, "b.mp3", "a.wav", "deep/c.mkv", "notes.txt", ".hidden.mp3")
    jobs = plan_jobs([str(tmp_path)], ["srt"], Path("out"))
    assert targets(jobs) == ["out/a.srt", "out/b.srt", "out/deep/c.srt"]


def test_formats_may_be_written_as_people_type_them():
    jobs = plan_jobs(["a.mp3"], ["TXT,.srt", "verbose-json"], "out")
    assert targets(jobs) == ["out/a.txt", "out/a.srt", "out/a.verbose.json"]


class TestNames:
    """Every recording gets files of its own."""

    def test_the_same_name_keeps_its_suffix(self):
        jobs = plan_jobs(["a.mp3", "a.wav", "b.wav"], ["txt"], Path("out"))
        assert targets(jobs) == ["out/a.mp3.txt", "out/a.wav.txt", "out/b.txt"]

    def test_the_same_name_in_two_folders_keeps_its_folder(self):
        assert targets(plan_jobs(["x/a.mp3", "y/a.mp3"], ["txt"], "out")) == ["out/x/a.txt", "out/y/a.txt"]

    def test_the_same_name_in_two_named_folders_keeps_the_folder_s_name(self, tmp_path):
        touch(tmp_path, "mon/call.mp3", "tue/call.mp3", "tue/deep/call.mp3")
        jobs = plan_jobs([str(tmp_path / "mon"), str(tmp_path / "tue")], ["txt"], "out")
        assert targets(jobs) == ["out/mon/call.txt", "out/tue/call.txt", "out/deep/call.txt"]

    def test_the_same_folder_and_name_get_a_number(self):
        urls = ["https://example.org/1/a.mp3", "https://example.org/2/a.mp3"]
        assert targets(plan_jobs(urls, ["txt"], "out")) == ["out/a.txt", "out/a (2).txt"]

    def test_names_that_differ_by_case_alone_would_be_one_file_on_some_machines(self):
        first, second = targets(plan_jobs(["x/A.mp3", "y/a.mp3"], ["txt"], "out"))
        assert first.casefold() != second.casefold()

    def test_a_url_is_named_after_its_last_part_without_its_query(self):
        jobs = plan_jobs(["https://example.org/talks/my%20talk.mp3?token=secret"], ["json"], Path("out"))
        assert targets(jobs) == ["out/my talk.json"]

    @pytest.mark.parametrize("letter", ["x", "ä", "漢", "🎉"])
    def test_a_long_name_is_cut_to_what_file_systems_take(self, tmp_path, letter):
        name = letter * (250 // len(letter.encode())) + ".mp3"
        jobs = plan_jobs([str(tmp_path / name)], ["audacity", "verbose_json"], tmp_path)
        for job in jobs:
            write_all(EMPTY, job.stem, job.targets, job.source)
        assert len(os.listdir(tmp_path)) == 2

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["", "x/", "y/", "x/y/", "../x/", "https://example.org/"]),
                st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=90),
                st.sampled_from(["", ".mp3", ".MP3", ".wav", ".verbose", "."]),
            ),
            min_size=1,
            max_size=8,
        ),
        st.lists(st.sampled_from(sorted(FORMATS)), min_size=1, max_size=3),
    )
    def test_no_two_recordings_share_a_file_whatever_they_are_called(self, parts, formats):
        paths = [f"{folder}{name}{suffix}" for folder, name, suffix in parts]
        with tempfile.TemporaryDirectory() as empty, pytest.MonkeyPatch.context() as patch:
            patch.chdir(empty)
            jobs = plan_jobs([path for path in paths if path not in {".", ".."}] or ["a"], formats, "out")
        files = targets(jobs)
        assert len({file.casefold() for file in files}) == len(files)
        for file in files:
            assert ".." not in Path(file).parts
            assert file.startswith("out/")
            assert all(len(part.encode()) <= 255 for part in Path(file).parts)


class TestFileOrFolder:
    """``-o`` names a file if its name says a format, there is one recording, and no folder is called so."""

    @pytest.mark.parametrize(
        ("out", "format_name"),
        [("result.srt", "srt"), ("r.VTT", "vtt"), ("r.verbose.json", "verbose_json"), ("r.TextGrid", "textgrid")],
    )
    def test_a_file_implies_its_format(self, out, format_name):
        (job,) = plan_jobs(["a.mp3"], None, out)
        assert job.targets == {format_name: Path(out)}

    def test_what_is_no_format_is_a_folder(self):
        assert targets(plan_jobs(["a.mp3"], None, "out.d")) == ["out.d/a.txt"]

    def test_a_slash_or_a_folder_of_that_name_makes_it_a_folder(self, tmp_path):
        assert targets(plan_jobs(["a.mp3"], None, "result.srt/")) == ["result.srt/a.txt"]
        (tmp_path / "r.srt").mkdir()
        assert targets(plan_jobs(["a.mp3"], None, tmp_path / "r.srt")) == [str(tmp_path / "r.srt" / "a.txt")]

    def test_a_name_that_fits_the_format_asked_for_is_kept(self):
        assert targets(plan_jobs(["a.mp3"], ["seglst"], "a.json")) == ["a.json"]
        assert plan_jobs(["a.mp3"], ["audacity"], "labels.txt")[0].formats == ("audacity",)

    @pytest.mark.parametrize(
        ("paths", "formats", "out", "says"),
        [
            (["a.mp3"], ["srt"], "out.json", "out.json says json, and -f says srt"),
            (["a.mp3"], ["srt", "json"], "out.srt", "is one file, and 2 formats are more"),
            (["a.mp3", "b.mp3"], None, "out.srt", "is one file, and there are 2 recordings"),
            (["a.mp3"], None, "", "empty"),
            (["a.mp3"], None, __file__, "is not a folder"),
        ],
    )
    def test_contradictions_are_refused(self, paths, formats, out, says):
        with pytest.raises(InputError, match=says):
            plan_jobs(paths, formats, out)


@pytest.mark.parametrize(
    ("paths", "formats", "says"),
    [
        (["a.mp3", "b.mp3"], None, "Add -o DIR"),
        (["a.mp3"], ["txt", "srt"], "Add -o DIR"),
        (["a.mp3"], ["pdf"], "Choose from: txt"),
        (["a.mp3"], ["txtgrid"], "Did you mean textgrid"),
    ],
)
def test_what_cannot_work_is_refused_at_once(paths, formats, says):
    with pytest.raises(InputError) as caught:
        plan_jobs(paths, formats, None)
    assert says in str(caught.value)


def test_a_folder_without_recordings_is_refused(tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(InputError, match="no recordings"):
        plan_jobs([str(tmp_path)], None, Path("out"))


class TestBeforeTheWork:
    """Places that cannot be written are found out first, and looking leaves no trace."""

    def check(self, tmp_path, out, formats=None, *, overwrite=False):
        touch(tmp_path, "a.mp3")
        check_jobs(plan_jobs([str(tmp_path / "a.mp3")], formats, out), overwrite=overwrite)

    def test_a_good_place_is_left_as_it_was(self, tmp_path):
        self.check(tmp_path, tmp_path / "deep" / "out")
        assert os.listdir(tmp_path) == ["a.mp3"]

    @pytest.mark.parametrize("out", ["/proc/out", "/proc/out.srt", "/dev/null/out", "x" * 300, "x" * 300 + ".srt"])
    def test_a_place_that_cannot_be_written_is_refused(self, tmp_path, out):
        with pytest.raises(InputError, match=r"Cannot write|is not a folder"):
            self.check(tmp_path, out)

    def test_a_place_with_next_to_no_room_is_refused(self, tmp_path):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (6000, before[1])
        )  # as a full disk: a little is written, then no more
        try:
            with pytest.raises(InputError, match="Cannot write into"):
                self.check(tmp_path, tmp_path / "out")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def test_a_folder_or_a_device_in_the_way_is_refused(self, tmp_path):
        (tmp_path / "out" / "a.txt").mkdir(parents=True)
        with pytest.raises(InputError, match="it is a folder"):
            self.check(tmp_path, tmp_path / "out", overwrite=True)
        os.mkfifo(tmp_path / "out" / "a.srt")
        with pytest.raises(InputError, match="not a plain file"):
            self.check(tmp_path, tmp_path / "out" / "a.srt", overwrite=True)

    def test_a_loop_of_links_is_refused(self, tmp_path):
        (tmp_path / "out.srt").symlink_to("out.srt")
        with pytest.raises(InputError, match="Cannot write"):
            self.check(tmp_path, tmp_path / "out.srt")

    def test_the_recording_itself_is_never_written_over(self, tmp_path):
        touch(tmp_path, "a.txt")
        with pytest.raises(InputError, match="is the recording itself"):
            check_jobs(plan_jobs([str(tmp_path / "a.txt")], None, tmp_path), overwrite=True)

    def test_a_recording_that_is_missing_is_refused_unless_there_are_others(self, tmp_path):
        touch(tmp_path, "a.mp3")
        here, gone = str(tmp_path / "a.mp3"), str(tmp_path / "gone.mp3")
        check_jobs(plan_jobs([here, gone], None, tmp_path / "out"))
        with pytest.raises(InputError, match=r"gone.mp3 does not exist"):
            check_jobs(plan_jobs([gone], None, tmp_path / "out"))
        with pytest.raises(InputError, match=r"None of 2 recordings can be read: gone.mp3 does not exist"):
            check_jobs(plan_jobs([gone, str(tmp_path / "g.mp3")], None, tmp_path / "out"))


class TestReplacing:
    """diarist replaces what it wrote for the same recording, and nothing else unasked."""

    def write(self, out, source="a.mp3", transcript=SPOKEN, **options):
        write_all(transcript, "a", {"txt": out / "a.txt", "json": out / "a.json"}, source, **options)

    def test_its_own_files_are_written_anew(self, tmp_path):
        self.write(tmp_path, transcript=EMPTY)
        self.write(tmp_path)
        assert "hello" in (tmp_path / "a.txt").read_text()
        assert sorted(os.listdir(tmp_path)) == ["a.json", "a.txt"]

    def test_a_file_that_was_changed_stays(self, tmp_path):
        self.write(tmp_path)
        (tmp_path / "a.txt").write_text("corrected by hand")
        with pytest.raises(InputError, match=r"a\.txt: there already"):
            self.write(tmp_path)
        assert (tmp_path / "a.txt").read_text() == "corrected by hand"

    def test_another_recordings_file_stays(self, tmp_path):
        self.write(tmp_path)
        before = (tmp_path / "a.txt").read_text()
        with pytest.raises(InputError, match="--overwrite"):
            self.write(tmp_path, source="elsewhere/a.mp3", transcript=EMPTY)
        assert (tmp_path / "a.txt").read_text() == before

    def test_a_strangers_file_is_found_before_the_work(self, tmp_path):
        touch(tmp_path, "a.mp3", "b.mp3")
        (tmp_path / "a.txt").write_text("mine")
        (tmp_path / "b.txt").write_text("mine")
        jobs = plan_jobs([str(tmp_path)], None, tmp_path)
        with pytest.raises(InputError, match=r"a\.txt and 1 more: there already"):
            check_jobs(jobs)
        check_jobs(jobs, overwrite=True)

    def test_an_empty_file_may_be_replaced_and_anything_with_overwrite(self, tmp_path):
        touch(tmp_path, "a.txt")
        (tmp_path / "a.json").write_text("{}")
        self.write(tmp_path, overwrite=True)
        assert "hello" in (tmp_path / "a.txt").read_text()

    def test_a_link_is_followed(self, tmp_path):
        (tmp_path / "real.txt").touch()
        (tmp_path / "a.txt").symlink_to("real.txt")
        self.write(tmp_path)
        assert (tmp_path / "a.txt").is_symlink()
        assert "hello" in (tmp_path / "real.txt").read_text()


class TestWriting:
    """A file is there whole or not at all; what fails does not take the rest with it."""

    def test_folders_are_made(self, tmp_path):
        target = tmp_path / "deep" / "a.rttm"
        write_all(EMPTY, "a", {"rttm": target})
        assert target.read_text() == ""
        assert os.listdir(target.parent) == ["a.rttm"]

    def test_a_format_that_fails_does_not_stop_the_others(self, tmp_path, monkeypatch):
        def broken(*_):
            raise RuntimeError("hello")

        broken_format = FORMATS["eaf"]._replace(render=broken)
        monkeypatch.setitem(FORMATS, "eaf", broken_format)
        formats = {name: tmp_path / f"a.{name}" for name in ("eaf", "json", "textgrid")}
        with pytest.raises(InputError, match="Cannot write the format eaf: RuntimeError") as caught:
            write_all(SPOKEN, "a", formats)
        assert sorted(os.listdir(tmp_path)) == ["a.json", "a.textgrid"]
        assert "kept" not in caught.value.hint

    def test_a_transcript_that_cannot_be_written_is_kept_elsewhere(self, tmp_path):
        (tmp_path / "a.txt").mkdir()
        with pytest.raises(InputError, match=r"Cannot write .*a\.txt") as caught:
            write_all(SPOKEN, "an interview", {"txt": tmp_path / "a.txt"})
        assert os.listdir(tmp_path) == ["a.txt"]
        kept = Path(caught.value.hint.rpartition("kept in ")[2])
        assert kept.name.startswith("an_interview")
        assert kept.stat().st_mode & 0o777 == 0o600
        assert json.loads(kept.read_text())["segments"][0]["text"] == "hello"

    def test_where_no_state_can_be_kept_it_goes_to_the_folder_for_temporary_files(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_STATE_HOME", "/proc/none")
        (tmp_path / "a.txt").mkdir()
        with pytest.raises(InputError) as caught:
            write_all(SPOKEN, "a", {"txt": tmp_path / "a.txt"})
        kept = Path(caught.value.hint.rpartition("kept in ")[2])
        assert kept.parent == Path(tempfile.gettempdir())
        kept.unlink()
