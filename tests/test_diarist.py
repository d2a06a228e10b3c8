"""The package's own face: light to import, and complete."""

import inspect
import os
import subprocess
import sys

import pytest

import diarist

HEAVY = {
    "anyio", "av", "ctranslate2", "docx", "faster_whisper", "httpx", "huggingface_hub", "msgspec", "numpy",
    "onnxruntime", "rich", "scipy", "torch", "typer",
}  # fmt: skip

NAMES = [
    "Audio", "Cancelled", "DiaristError", "Diarization", "Diarizer", "EndpointError", "Engine", "EngineError",
    "InputError", "LocalPipeline", "ModelInfo", "Options", "Pipeline", "Progress", "Recording", "Segment", "Span",
    "SpeakerScores", "Transcriber", "Transcript", "Transcription", "Turn", "WeightsError", "Word", "__version__",
    "attribute", "connect", "decode", "load", "open_place", "render", "transcribe",
]  # fmt: skip
"""What programs may rely on. A name that goes breaks somebody's program; one that comes stays."""


def imported(code):
    """The modules that a program has once it ran."""
    code = f"import sys; {code}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_importing_diarist_imports_nothing_else():
    assert {name for name in imported("import diarist") if name.startswith("diarist")} == {"diarist"}
    assert not HEAVY & imported("import diarist")


def test_the_nouns_the_errors_and_a_recording_need_nothing_heavy():
    names = "Cancelled, InputError, Options, Progress, Recording, Span, Transcript, Word"
    assert not HEAVY & imported(f"from diarist import {names}; Recording; Options(language='German')")


def test_onnx_runtime_keeps_and_sends_nothing_about_its_user(tmp_path):
    env = {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    code = "import diarist.diarization.pipeline, diarist.transcription.vad, onnxruntime"
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert not [file for file in tmp_path.rglob("*") if "onnx" in str(file).lower()]


def test_the_public_names_are_these():
    assert sorted(diarist.__all__) == NAMES
    assert dir(diarist) == NAMES


@pytest.mark.parametrize("name", [name for name in NAMES if name != "__version__"])
def test_every_public_name_says_what_it_is_for(name):
    thing = getattr(diarist, name)
    doc = inspect.getdoc(thing)
    assert doc
    assert not doc.startswith(f"{name}(")  # what dataclasses write for themselves
    assert thing is getattr(diarist, name)
    # So does what a class offers, unless it is a field, which the class's own text tells of.
    for method in vars(thing) if inspect.isclass(thing) else ():
        member = getattr(thing, method)
        if not method.startswith("_") and (inspect.isroutine(member) or isinstance(member, property)):
            assert inspect.getdoc(member), f"{name}.{method}"


def test_a_name_that_is_not_there_is_said_to_be_missing():
    with pytest.raises(AttributeError, match="no attribute 'Speaker'"):
        diarist.Speaker  # noqa: B018
