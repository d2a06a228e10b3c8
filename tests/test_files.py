"""A file is there whole, or as it was before."""

import os

import pytest

from diarist.files import write_whole
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


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(InputError, match=r"Cannot write .*a\.txt"):
        write_whole(tmp_path / "a.txt", b"x")
    assert os.listdir(tmp_path) == ["a.txt"]
