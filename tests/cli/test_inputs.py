"""Which recordings are meant: a folder gives all that diarist can decode, on every machine, and says what it left."""

import io
import mimetypes
import os
import wave

import av
import pytest

from diarist.audio.decode import decode
from diarist.cli.inputs import check_readable, find_recordings
from diarist.model.errors import InputError


def names(folder, **options):
    return [str(recording.name) for recording in find_recordings([str(folder)], **options)]


def encoded(container):
    """A second of silence in a container, or None where this one holds no sound that we can write."""
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=container) as output:
            codec = output.default_audio_codec
            if not codec or codec == "none":
                return None
            rate = 8000 if codec in {"amr_nb", "gsm", "g726"} else 48_000
            stream = output.add_stream(codec, rate=rate, layout="mono")
            frame = av.AudioFrame(stream.codec_context.format.name, "mono", rate)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts = rate, 0
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                output.mux(packet)
    except (av.FFmpegError, ValueError, OSError):
        return None
    return file.getvalue() or None


# Raw samples and streams of bits that say nothing about themselves, and games' own sounds.
NO_RECORDINGS = {
    *("al", "ul", "sw", "sb", "uw", "ub", "tco", "rco", "c2", "g722", "722"),
    *("bit", "lbc", "sbc", "msbc", "dfpwm", "aptx", "aptxhd", "adx", "ast", "rso", "wve"),
}


@pytest.mark.parametrize("container", sorted(av.formats_available))
def test_what_can_be_decoded_is_found_by_its_name(container, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some containers are several files, written beside
    try:
        extensions = {*av.ContainerFormat(container, "w").extensions} - NO_RECORDINGS
    except ValueError:
        return
    content = encoded(container) if extensions else None
    if content is None:
        return
    try:
        decode(content)
    except InputError:
        return
    (tmp_path / "in").mkdir()
    for extension in extensions:
        (tmp_path / "in" / f"x.{extension}").write_bytes(content)
    assert set(names(tmp_path / "in")) == {f"x.{extension}" for extension in extensions}


def test_the_machines_table_of_file_types_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(mimetypes, "guess_type", lambda *_, **__: (None, None))
    wanted = ["a.WAV", "b.amr", "c.ts", "d.wma", "e.mts", "f.3gp", "g.m4r", "h.wv", "i.rm", "j.aiff", "k.mxf", "l.w64"]
    for name in [*wanted, "m.txt", "n.jpg", ".hidden.wav", "._a.wav", "midi.mid"]:
        (tmp_path / name).touch()
    assert names(tmp_path) == wanted


def test_files_passed_over_are_counted_and_said(tmp_path):
    for name in ("a.wav", "b.pdf", "c.PDF", "README", ".DS_Store"):
        (tmp_path / name).touch()
    said = []
    names(tmp_path, say=said.append)
    assert said == [
        f"{tmp_path}: passed over 3 files not named like recordings: .pdf (2), no suffix (1). "
        "Name a file itself to try it."
    ]


def test_a_recording_named_twice_is_done_once_and_a_link_is_another(tmp_path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").symlink_to(tmp_path / "a.wav")
    named = [str(tmp_path), str(tmp_path / "a.wav"), f"{tmp_path}/./a.wav", "-", "-"]
    assert [str(each.name) for each in find_recordings(named)] == ["a.wav", "b.wav", "stdin"]


def test_hidden_folders_are_left_alone(tmp_path):
    for folder in (".Trash-1000", "in"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.wav").touch()
    assert names(tmp_path) == ["in/a.wav"]


def test_a_folder_that_may_not_be_entered_is_said(tmp_path, monkeypatch):
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.wav").touch()
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("closed"):  # as root, nothing is closed
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    said = []
    assert names(tmp_path, say=said.append) == ["open/a.wav"]
    assert said == [f"1 folder could not be read: {tmp_path}/closed."]
    with pytest.raises(InputError, match=r"Cannot read the folder .*closed: Permission denied"):
        names(tmp_path / "closed")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a%2F..%2F..%2Fetc", "etc"),
        ("https://example.org/..", "download"),
        ("https://example.org", "download"),
        ("https://example.org/a%00b%0A.mp3?x=1", "a_b_.mp3"),
    ],
)
def test_a_urls_name_is_a_files_name(url, name):
    assert [str(each.name) for each in find_recordings([url])] == [name]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("gone.wav", "gone.wav does not exist"),
        ("http://example.org/a.mp3", "https"),
        ("ftp://example.org/a.mp3", "https"),
        ("data:audio/wav;base64,AAAA", "not accepted here"),
        ("x" * 300 + ".wav", "cannot be opened: File name too long"),
        ("/".join(["x" * 100] * 60), "cannot be opened: File name too long"),
    ],
)
def test_what_cannot_be_read_is_refused_before_any_work(source, says):
    with pytest.raises(InputError, match=says):
        check_readable(source)
    assert len(find_recordings([source])) == 1


def test_looking_at_a_stream_takes_nothing_from_it(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_readable(str(pipe))  # opening it would wait for a writer
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(b"")
    check_readable(str(tmp_path / "a.wav"))
