"""``diarist models``: what it prints, and how it ends."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from diarist.cli.models import app
from diarist.model.errors import InputError, WeightsError
from diarist.weights.catalog import CATALOG, find_model

from ..terminal import DIARIST, on_a_terminal

run = CliRunner().invoke


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty machine: no caches, and no network."""
    for name in ("MODEL_DIR", "DIARIST_MODEL_DIR", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DIARIST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DIARIST_IMAGE_DIR", str(tmp_path / "image"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("DIARIST_OFFLINE", "1")
    return tmp_path / "cache" / "models"


def put(cache: Path, name: str) -> Path:
    """Files of the right sizes, filled with zeros."""
    for file in find_model(name).files:
        (cache / name).mkdir(parents=True, exist_ok=True)
        with (cache / name / file.path).open("wb") as writer:
            writer.truncate(file.size or 1)
    return cache / name


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "diarist", "models", *arguments], capture_output=True, text=True, timeout=60
    )


class TestList:
    def test_json_has_all_that_scripts_need(self, cache: Path):
        put(cache, "silero-vad")
        models = {model["name"]: model for model in json.loads(run(app, ["list", "--json"]).stdout)}
        assert list(models) == list(CATALOG)
        assert models["silero-vad"] == {
            "name": "silero-vad",
            "task": "vad",
            "engine": "diarist",
            "licence": "MIT",
            "attribution": find_model("silero-vad").attribution,
            "size": 1_289_603,
            "embedded": True,
            "large": False,
            "present": True,
            "path": str(cache / "silero-vad"),
            "place": "cache",
            "revision": find_model("silero-vad").revision,
        }
        absent = models["community-1"]
        assert (absent["present"], absent["path"], absent["place"], absent["size"]) == (False, None, None, None)

    def test_piped_it_is_one_line_per_model(self, cache: Path):
        put(cache, "silero-vad")
        lines = [line.split("\t") for line in run(app, ["list"]).stdout.splitlines()]
        assert {len(line) for line in lines} == {6}
        assert ["silero-vad", "vad", "diarist", "MIT", "1289603", "cache"] in lines
        assert [line[0] for line in lines] == list(CATALOG)

    @pytest.mark.parametrize("columns", [80, 120, 200])
    def test_on_a_terminal_it_is_a_table_with_every_name_and_size_in_one_line(self, cache: Path, columns: int):
        put(cache, "silero-vad")
        code, terminal, _ = on_a_terminal(*DIARIST, "models", "list", columns=columns)
        assert code == 0
        rows = {line.split()[0]: line for line in terminal.lines[1:-2]}
        assert list(rows) == list(CATALOG)
        assert rows["silero-vad"].split()[-4:] == ["1.3", "MB", "✓", "cache"]
        assert "  about 670 MB  hub" in rows["parakeet-tdt-0.6b-v3-onnx"]
        assert all(re.search(r"\d (MB|GB)  ", line) for line in rows.values())
        assert ("inside an MIT wheel" in rows["sample-telephone"]) == (columns == 200)
        assert "diarist models pull NAME" in terminal.lines[-2]

    @pytest.mark.parametrize("columns", [34, 40])
    def test_on_a_narrow_terminal_each_model_is_a_list_of_its_own(self, cache: Path, columns: int):
        put(cache, "silero-vad")
        _, terminal, _ = on_a_terminal(*DIARIST, "models", "list", columns=columns)
        assert [line for line in terminal.lines if line in CATALOG] == list(CATALOG)
        begin = terminal.lines.index("silero-vad")
        assert [line.split(maxsplit=1) for line in terminal.lines[begin + 1 : begin + 5]] == [
            ["for", "vad"],
            ["licence", "MIT"],
            ["size", "1.3 MB"],
            ["here", "✓ cache"],
        ]
        assert "…" not in "".join(terminal.lines)


class TestPath:
    def test_prints_the_folder(self, cache: Path):
        folder = put(cache, "silero-vad")
        assert run(app, ["path", "silero-vad"]).stdout == f"{folder}\n"

    def test_a_missing_model_exits_with_3_and_says_how_to_get_it(self):
        result = command("path", "silero-vad")
        assert result.returncode == 3
        assert result.stdout == ""
        assert "diarist models pull silero-vad" in result.stderr
        assert "Traceback" not in result.stderr

    def test_an_unknown_model_exits_with_2(self):
        result = command("path", "silero-bad")
        assert result.returncode == 2
        assert "Did you mean silero-vad" in result.stderr


class TestPull:
    def test_what_is_here_is_only_named(self, cache: Path):
        folder = put(cache, "silero-vad")
        assert run(app, ["pull", "silero-vad"]).stdout == f"{folder}\n"

    def test_a_wrong_name_is_refused_before_anything_is_fetched(self, cache: Path):
        result = run(app, ["pull", "silero-vad", "no-such-model"])
        assert isinstance(result.exception, InputError)

    def test_offline_exits_with_3(self):
        result = command("pull", "silero-vad")
        assert result.returncode == 3
        assert "offline mode is on" in result.stderr

    @pytest.mark.models
    def test_the_real_thing(self, cache: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("DIARIST_OFFLINE")
        result = command("pull", "sample-telephone")
        assert (result.returncode, result.stdout) == (0, f"{cache / 'sample-telephone'}\n")
        assert result.stderr == ""  # no progress where there is no terminal
        assert command("verify").stdout == "sample-telephone\tok\t2 good\n"
        with (cache / "sample-telephone" / "sample.wav").open("r+b") as writer:
            writer.write(b"X")
        damaged = command("verify", "sample-telephone")
        assert damaged.returncode == 3
        assert "diarist models pull --force sample-telephone" in damaged.stderr
        assert command("pull", "--force", "sample-telephone").returncode == 0
        assert command("verify", "sample-telephone").returncode == 0


class TestVerify:
    def test_damage_is_named(self, cache: Path):
        put(cache, "silero-vad")
        result = run(app, ["verify"])
        assert result.stdout == "silero-vad\tdamaged\tdamaged: silero_vad_16k_op15.onnx\n"
        assert isinstance(result.exception, WeightsError)
        assert result.exception.code == "weights_damaged"

    def test_files_outside_our_caches_are_the_users_to_replace(self, tmp_path: Path, cache: Path):
        folder = put(tmp_path / "image", "silero-vad")
        result = run(app, ["verify", "silero-vad"])
        assert isinstance(result.exception, WeightsError)
        assert str(folder) in result.exception.hint
        assert "--force" not in result.exception.hint

    def test_nothing_here_is_nothing_wrong(self):
        result = run(app, ["verify"])
        assert (result.exit_code, result.stdout) == (0, "")


class TestVerifySources:
    """Against the package index that the tests use; `tests/weights` has every way in which a source can fail."""

    @pytest.mark.models
    def test_what_is_there_and_right(self, cache: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("DIARIST_OFFLINE")
        result = command("verify", "--sources", "sample-telephone")
        assert (result.returncode, result.stdout) == (0, "sample-telephone\tpyannote-audio 4.0.7\tok\t2 good\n")
        assert result.stderr == "Fetches 1 MB from the package index, and keeps nothing.\n"
        assert not cache.exists()

    def test_a_hub_that_does_not_answer_is_not_fine(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("DIARIST_OFFLINE")
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        result = command("verify", "--sources", "whisper-small")
        assert result.returncode == 3
        assert result.stdout.startswith("whisper-small\tSystran/faster-whisper-small on the hub\tnot reached\t")
        assert "1 of 1 sources could not be looked at" in result.stderr

    def test_a_source_that_is_gone(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("DIARIST_OFFLINE")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        result = command("verify", "--sources", "sample-telephone")
        assert result.returncode == 3
        assert "\tfailed\tthe package index has no pyannote-audio 4.0.7" in result.stdout
        assert "Gone, or not what it should be: sample-telephone from pyannote-audio 4.0.7." in result.stderr


class TestRemove:
    def test_what_was_fetched_is_deleted_and_its_neighbours_stay(self, cache: Path):
        folder, other = put(cache, "silero-vad"), put(cache, "sample-telephone")
        result = run(app, ["remove", "silero-vad"])
        assert result.stdout == f"silero-vad: deleted {folder}\n"
        assert not folder.exists()
        assert other.exists()

    def test_a_model_of_the_hub_goes_with_its_repository(self, tmp_path: Path):
        repo = tmp_path / "hub" / "hub" / "models--pyannote--speaker-diarization-community-1"
        (repo / "snapshots" / ("a" * 40)).mkdir(parents=True)
        (repo.parent / "models--someone--else").mkdir()
        run(app, ["remove", "community-1"])
        assert [folder.name for folder in repo.parent.iterdir()] == ["models--someone--else"]

    def test_folders_that_diarist_did_not_fill_stay(self, tmp_path: Path):
        folder = put(tmp_path / "image", "silero-vad")
        result = run(app, ["remove", "silero-vad"])
        assert isinstance(result.exception, InputError)
        assert str(folder) in result.exception.message
        assert folder.exists()

    def test_a_model_that_is_not_here_exits_with_2(self):
        result = command("remove", "silero-vad")
        assert result.returncode == 2
        assert "not on this machine" in result.stderr

    def test_a_wrong_name_is_refused_before_anything_is_deleted(self, cache: Path):
        folder = put(cache, "silero-vad")
        assert isinstance(run(app, ["remove", "silero-vad", "no-such-model"]).exception, InputError)
        assert folder.exists()
