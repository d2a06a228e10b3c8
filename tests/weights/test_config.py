"""Configuration files from strangers: read as strings, and refused before they can do harm."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.errors import WeightsError
from diarist.weights.config import read_config


def write(folder: Path, content: bytes) -> Path:
    (folder / "config.yaml").write_bytes(content)
    return folder / "config.yaml"


def test_scalars_stay_strings(tmp_path: Path):
    path = write(tmp_path, b"a: 1.5\nb: {c: true, d: [2026-13-45, ~]}\n")
    assert read_config(path) == {"a": "1.5", "b": {"c": "true", "d": ["2026-13-45", "~"]}}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a: [" * 16_000, "nested more than"),
        (b"[" * 60_000, "nested more than"),
        (b"- " * 30_000 + b"a", "nested more than"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "repeats parts of itself"),
        (b"a: 1\n" * 20_000, "larger than"),
        (b"a: " + b"9" * 70_000, "larger than"),
        (b"\xff\xfe\x00a", "no YAML"),
        (b"a: b: c", "no YAML"),
        (b"? [a]\n: b", "no YAML"),
        (b'a: "\\UFFFFFFFF"', "no YAML"),
        (b"%YAML 1." + b"9" * 5000 + b"\n--- {a: b}", "no YAML"),
        (b"- a\n- b\n", "no mapping"),
        (b"", "no mapping"),
        (b"a: 1\n---\na: 2\n", "no YAML"),
    ],
)
def test_what_no_such_file_need_be_is_refused(tmp_path: Path, content: bytes, why: str):
    with pytest.raises(WeightsError, match=why):
        read_config(write(tmp_path, content))


def test_tags_make_nothing(tmp_path: Path):
    path = write(tmp_path, b"a: !!python/object/apply:os.system ['false']\nb: !!int x\nc: !!binary '!'\n")
    assert read_config(path) == {"a": ["false"], "b": "x", "c": "!"}


def test_a_file_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(WeightsError, match="Cannot read"):
        read_config(tmp_path)


@given(content=st.one_of(st.binary(max_size=200), st.text("ab:-[]{}&*!|>'\"#? \n\t%@,", max_size=80).map(str.encode)))
def test_anything_is_a_mapping_or_one_clear_error(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    path = write(tmp_path_factory.mktemp("config"), content)
    with contextlib.suppress(WeightsError):
        assert isinstance(read_config(path), dict)
