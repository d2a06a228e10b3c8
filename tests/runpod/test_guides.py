"""The guides' client examples run, as they stand, against the emulator."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from diarist.audio.transport import encode_flac
from diarist.runpod.emulator.emulator import emulate

from .conftest import sound

DOCS = Path(__file__).parents[2] / "docs"
RUNNERS = {"sh": ["bash", "-euo", "pipefail"], "python": [sys.executable], "node": ["node"]}
EXAMPLES = [
    pytest.param(kind, code, id=f"{page.name}-{kind}-{number}")
    for page in sorted(DOCS.glob("*.md"))
    for number, (kind, code) in enumerate(
        re.findall(r"<!-- tested: (\w+) -->\n```\w+\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    )
]


@pytest.fixture(scope="module")
def emulators(tmp_path_factory):
    """Environments of emulated architectures with stub engines, started when first asked for."""
    from contextlib import ExitStack

    from .conftest import handler_files

    files = handler_files(tmp_path_factory.mktemp("handlers"))
    with ExitStack() as stack:
        emulator = stack.enter_context(emulate("orchestrator", handlers=files))
        single = stack.enter_context(emulate("single", handlers=files))
        yield {"single": dict(single.environ), "orchestrator": dict(emulator.environ)}


@pytest.mark.parametrize(("kind", "code"), EXAMPLES)
def test_an_example_in_a_guide_works(kind, code, emulators, tmp_path):
    if shutil.which(RUNNERS[kind][0]) is None:
        pytest.skip(f"{kind} is not installed")
    (tmp_path / "call.mp3").write_bytes(encode_flac(sound(111, 222)))
    script = tmp_path / f"example.{'cjs' if kind == 'node' else kind}"
    script.write_text(code)
    split = "runpod:split" in code or "TRANSCRIPTION_ENDPOINT_ID" in code
    environ = emulators["orchestrator" if split else "single"]
    legs = {f"{leg.upper()}_ENDPOINT_ID": f"emulated-{leg}" for leg in ("transcription", "diarization")}
    ran = subprocess.run(
        [*RUNNERS[kind], str(script)],
        cwd=tmp_path,
        env={**os.environ, **legs, **environ, "RUNPOD_URL": environ["DIARIST_RUNPOD_URL"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "111" in ran.stdout
    assert "222" in ran.stdout


def test_the_guides_have_examples_in_every_language():
    assert {example.values[0] for example in EXAMPLES} == set(RUNNERS)
