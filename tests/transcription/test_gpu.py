"""``benchmarks/gpu.py``, which must be ready on the day that there is a GPU: here with a tiny network on the CPU."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the extra gpu is not installed")


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, env=os.environ | env)


def test_without_a_gpu_it_says_so_in_one_line():
    done = run("--json", CUDA_VISIBLE_DEVICES="")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


@needs_torch
def test_every_figure_is_there_and_what_could_not_be_had_is_named(tmp_path: Path):
    done = run(
        *("--cpu", "--tiny", "--batches", "1", "3", "--seconds", "2", "--json"),
        HOME=str(tmp_path), HF_HOME=str(tmp_path), DIARIST_CACHE=str(tmp_path), DIARIST_OFFLINE="1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["on"]["device"] == "cpu"
    for precision in ("float32", "bfloat16", "float16"):
        start = found["ready"][precision]
        assert 0 < start["imported_s"] <= start["loaded_s"] <= start["ready_s"]
        assert found["least_cosine"][precision] > 0.99
    assert [(row["precision"], row["batch"]) for row in found["speed"]] == [
        (precision, batch) for precision in ("float32", "bfloat16", "float16") for batch in (1, 3)
    ]
    for row in found["speed"]:
        assert row["s_per_s"] > 0
        assert row["tokens_per_s"] > 0
        assert row["peak_mb"] > 0
    assert found["words"] == {"not_compared": "no trained weights: not compared"}
    assert "not measured" in found["speakers"]["not_measured"]


@needs_torch
@pytest.mark.models
def test_words_and_speakers_are_compared_with_the_cpu_s(tmp_path: Path):
    from diarist.weights.fetch import ensure

    from . import tiny

    weights = tiny.nemo(tmp_path / "parakeet.nemo")
    recording = ensure("sample-telephone") / "sample.wav"
    for name in ("segmentation-3.0", "campplus"):
        ensure(name)
    done = run(
        *("--cpu", "--tiny", "--batches", "1", "--seconds", "1", "--precisions", "float32", "--diarized-seconds", "30"),
        *("--weights", str(weights), "--recording", str(recording), "--json"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["words"]["words"] > 10
    assert found["words"]["changed"] == {"float32": 0}
    assert found["speakers"]["same_turns"]
