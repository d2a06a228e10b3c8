"""Fixtures that every room may use: a browser, and a package that brings engines."""

import shutil
import sys

import pytest

CHROMIUM = next(
    (found for name in ("chromium", "google-chrome", "chromium-browser") if (found := shutil.which(name))), None
)


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


# As somebody else would install it.
ENGINES = '''
"""Hears green parrots: every second of a recording holds one word, and two of them take turns."""

from diarist import Diarization, ModelInfo, Transcription, Turn, Word
from diarist.engines import Engine


class Parrot:
    def __init__(self, name):
        self.model = ModelInfo("transcription", name, "r1", "parrots 1.2")

    def transcribe(self, audio, options=None, progress=None):
        words = tuple(Word(at + 0.1, at + 0.9, "squawk", 0.9) for at in range(int(audio.duration)))
        return Transcription(words=words, language="en", duration=audio.duration, model=self.model)


class Perch:
    model = ModelInfo("diarization", "perch", "r1", "parrots 1.2")

    def diarize(self, audio, options=None, progress=None):
        turns = tuple(Turn(at, at + 1, f"SPEAKER_0{at % 2}") for at in range(int(audio.duration)))
        return Diarization(turns=turns, exclusive=turns, duration=audio.duration, model=self.model)


def load_parrot(model, *, device, threads, progress):
    if model not in PARROT.models:
        raise LookupError(model)
    return Parrot(model)


PARROT = Engine(load_parrot, models=("green", "grey"))
PERCH = Engine(lambda model, *, device, threads, progress: Perch())
'''


def write_package(folder, name, version, code, entry_points):
    """Write a module and its metadata as pip would unpack them; ``entry_points`` as in ``entry_points.txt``."""
    metadata = folder / f"{name}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(entry_points)
    (folder / f"{name}.py").write_text(code)
    return folder


@pytest.fixture(scope="session")
def parrots(tmp_path_factory):
    """The folder of an installed package ``parrots`` with a transcriber and a diarizer."""
    entries = "[diarist.transcribers]\nparrot = parrots:PARROT\n[diarist.diarizers]\nperch = parrots:PERCH\n"
    return write_package(tmp_path_factory.mktemp("parrots"), "parrots", "1.2", ENGINES, entries)


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Install packages for one test: existing folders, or what `write_package` takes."""
    installed = []

    def add(*package):
        folder = package[0] if len(package) == 1 else write_package(tmp_path / package[0], *package)
        monkeypatch.syspath_prepend(folder)
        installed.extend(file.stem for file in folder.glob("*.py"))

    yield add
    for name in installed:
        sys.modules.pop(name, None)
