"""A file is there whole, or as it was before."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.files import is_file, is_folder, read_bounded, write_whole
from diarist.model.errors import InputError


def test_folders_are_made_and_content_replaced(tmp_path):
    file = tmp_path / "deep" / "er" / "a.txt"
    write_whole(file, b"one")
    write_whole(file, b"two")
    assert file.read_bytes() == b"two"
    assert os.listdir(file.parent) == ["a.txt"]


def test_permissions_are_given_or_kept_or_the_users_own(tmp_path):
    secret, kept, plain = tmp_path / "secret", tmp_path / "kept", tmp_path / "plain"
    write_whole(secret, b"", mode=0o600)
    kept.touch(mode=0o640)
    write_whole(kept, b"")
    umask = os.umask(0o022)
    try:
        write_whole(plain, b"")
    finally:
        os.umask(umask)
    assert [file.stat().st_mode & 0o777 for file in (secret, kept, plain)] == [0o600, 0o640, 0o644]


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/a.txt")
    write_whole(tmp_path / "link", b"one")
    write_whole(tmp_path / "link", b"two")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a.txt").read_bytes() == b"two"
    assert os.listdir(tmp_path / "real") == ["a.txt"]


@pytest.mark.parametrize("letter", ["x", "ä", "漢", "🎉"])
def test_the_longest_name_that_a_file_system_takes_is_taken(tmp_path, letter):
    name = letter * (255 // len(letter.encode()))
    write_whole(tmp_path / name, b"one")
    assert os.listdir(tmp_path) == [name]


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=120))
def test_any_name_is_written_or_refused_in_one_line(name):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        with suppress(InputError):
            write_whole(file, name.encode())
            assert file.read_bytes() == name.encode()
        assert os.listdir(folder) in ([], [name])


def test_questions_about_impossible_paths_have_answers():
    for path in ("x" * 300, "a\0b", "/".join(["x" * 200] * 40)):
        assert not is_file(path)
        assert not is_folder(path)


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(InputError, match=r"Cannot write .*a\.txt"):
        write_whole(tmp_path / "a.txt", b"x")
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_process_s_default_permissions_are_never_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("other threads make files with it"))
    write_whole(tmp_path / "a.txt", b"one")
    assert (tmp_path / "a.txt").read_bytes() == b"one"


def test_a_file_is_read_whole_or_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"12345")
    assert read_bounded(tmp_path / "a.txt", 5) == b"12345"
    for source in (tmp_path / "a.txt", "/dev/zero"):
        with pytest.raises(OSError, match="too large"):
            read_bounded(source, 4)
    for path in ("a\0b", "\ud800", tmp_path):
        with pytest.raises(OSError, match=r"."):
            read_bounded(path)
