"""The package's own face: light to import, and complete."""

import os
import subprocess
import sys

import diarist

HEAVY = {"numpy", "scipy", "onnxruntime", "ctranslate2", "faster_whisper", "av", "httpx", "torch", "rich"}


def test_importing_diarist_imports_nothing_heavy():
    code = "import sys, diarist; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)


def test_onnx_runtime_keeps_and_sends_nothing_about_its_user(tmp_path):
    env = {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    code = "import diarist.diarization.pipeline, diarist.transcription.vad, onnxruntime"
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert not [file for file in tmp_path.rglob("*") if "onnx" in str(file).lower()]


def test_every_public_name_is_there():
    for name in diarist.__all__:
        assert getattr(diarist, name) is not None
