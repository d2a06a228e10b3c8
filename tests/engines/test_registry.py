"""From a name to an engine: our own, and those that other packages bring."""

import subprocess
import sys

import numpy as np
import pytest

from diarist.audio.audio import Audio
from diarist.engines import load
from diarist.engines.own import DIARIZERS, TRANSCRIBERS
from diarist.model.errors import EngineError, InputError
from diarist.model.options import Options

BROKEN = ("broken", "0.3", "import parts_that_nobody_has\n", "[diarist.transcribers]\nbroken = broken:ENGINE\n")


def found(registry, name):
    model = registry.find(name)
    return f"{model.engine}:{model.model}"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("whisper-base", "whisper:whisper-base"),
        ("whisper:base", "whisper:whisper-base"),
        ("whisper:whisper-base", "whisper:whisper-base"),
        ("Whisper:Large-V3", "whisper:whisper-large-v3"),
        ("turbo", "whisper:whisper-large-v3-turbo"),
        ("Systran/faster-whisper-base", "whisper:whisper-base"),
        ("whisper:Systran/faster-whisper-base", "whisper:whisper-base"),
        ("parakeet", "parakeet:parakeet-tdt-0.6b-v3"),
        ("parakeet-tdt-0.6b-v2", "parakeet:parakeet-tdt-0.6b-v2"),
        ("parakeet:v2", "parakeet:parakeet-tdt-0.6b-v2"),
        ("parakeet:tdt-0.6b-v3-onnx", "parakeet:parakeet-tdt-0.6b-v3-onnx"),
        (" parakeet : v3 ", "parakeet:parakeet-tdt-0.6b-v3"),
    ],
)
def test_a_transcription_model_is_found_as_people_type_it(typed, meant):
    assert found(TRANSCRIBERS, typed) == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Embedded", "diarist:embedded"),
        ("3.1", "diarist:3.1"),
        ("diarist:community-1", "diarist:community-1"),
        ("pyannote/speaker-diarization-community-1", "diarist:community-1"),
        ("pyannote:community-1", "pyannote:community-1"),
        ("nemotron:nvidia/Nemotron-3-Diarization", "nemotron:nvidia/Nemotron-3-Diarization"),
    ],
)
def test_a_diarization_model_is_found_as_people_type_it(typed, meant):
    assert found(DIARIZERS, typed) == meant


@pytest.mark.parametrize("registry", [TRANSCRIBERS, DIARIZERS])
@pytest.mark.parametrize(
    "name", ["nemo:model", "whisper:", "nemotron:", ":model", "nemotron", "3.2", "", " ", "~nobody/m"]
)
def test_what_is_no_model_is_refused_in_one_line(registry, name):
    with pytest.raises(InputError) as caught:
        registry.find(name)
    assert caught.value.code == "unknown_model"
    assert "\n" not in str(caught.value)


def test_who_names_no_engine_is_told_which_there_are(install, parrots):
    install(parrots)
    with pytest.raises(InputError, match=r"whisper:MODEL, parakeet:MODEL, parrot:MODEL"):
        TRANSCRIBERS.find("nemo:model")
    with pytest.raises(InputError, match=r"pyannote:MODEL, nemotron:MODEL, speakrs:MODEL, perch:MODEL"):
        DIARIZERS.find("nemo:model")


@pytest.mark.parametrize(
    ("file", "engine"),
    [
        ("model.bin", "whisper"),
        ("model.safetensors", "parakeet"),
        ("mine.nemo", "parakeet"),
        ("encoder-model.int8.onnx", "parakeet"),
    ],
)
def test_a_folder_is_read_by_the_engine_whose_files_it_holds(tmp_path, file, engine):
    folder = tmp_path / "mine:2"
    folder.mkdir()
    (folder / file).touch()
    assert found(TRANSCRIBERS, str(folder)) == f"{engine}:{folder}"
    assert found(TRANSCRIBERS, f"whisper:{folder}") == f"whisper:{folder}"
    assert found(DIARIZERS, str(folder)) == f"diarist:{folder}"


def test_after_an_engine_a_name_is_a_name_whatever_lies_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("base", "embedded"):
        (tmp_path / folder).mkdir()
    assert found(TRANSCRIBERS, "whisper:base") == "whisper:whisper-base"
    assert found(TRANSCRIBERS, "whisper:./base") == "whisper:./base"
    assert found(DIARIZERS, "diarist:embedded") == "diarist:embedded"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert found(DIARIZERS, "pyannote:~/base") == f"pyannote:{tmp_path}/base"


def test_our_own_engines_have_their_loaders():
    for engine in (*TRANSCRIBERS.own.values(), *DIARIZERS.own.values()):
        # Each refuses a device that does not exist, or says that its library is missing; none is called wrongly.
        with pytest.raises((InputError, EngineError)):
            engine.load("no-such-model", device="tpu", threads=1, progress=lambda *_: None)


class TestAPackageThatBringsEngines:
    def test_its_models_are_found_by_engine_and_by_names_that_nobody_else_has(self, install, parrots):
        install(parrots)
        assert found(TRANSCRIBERS, "parrot:green") == "parrot:green"
        assert found(TRANSCRIBERS, "Parrot:/some/folder") == "parrot:/some/folder"
        assert found(TRANSCRIBERS, "grey") == "parrot:grey"
        assert found(DIARIZERS, "perch:any") == "perch:any"
        with pytest.raises(InputError, match="no transcription model 'perch:any'"):
            TRANSCRIBERS.find("perch:any")

    def test_a_pipeline_runs_them(self, install, parrots):
        install(parrots)
        transcript = load("parrot:green", "perch:any").transcribe(Audio(np.zeros(32_000, np.float32)), Options())
        assert [(word.speaker, word.text) for word in transcript.words] == [
            ("SPEAKER_00", "squawk"),
            ("SPEAKER_01", "squawk"),
        ]
        assert [model.engine for model in transcript.models] == ["parrots 1.2"] * 2

    def test_a_name_that_two_engines_have_must_be_said_in_full(self, install, parrots):
        install(parrots)
        code = "from parrots import PARROT"
        install("crows", "2.0", code, "[diarist.transcribers]\ncrow = crows:PARROT\n")
        with pytest.raises(InputError, match="Say which: crow:grey, parrot:grey"):
            TRANSCRIBERS.find("grey")
        assert found(TRANSCRIBERS, "crow:grey") == "crow:grey"

    def test_two_packages_with_an_engine_of_one_name_are_both_named(self, install, parrots):
        install(parrots)
        install("crows", "2.0", "from parrots import PARROT", "[diarist.transcribers]\nparrot = crows:PARROT\n")
        with pytest.raises(InputError, match=r"'parrot': crows 2.0, parrots 1.2"):
            TRANSCRIBERS.find("parrot:green")

    def test_our_own_names_stay_ours(self, install, parrots):
        install("crows", "2.0", "from diarist.engines import Engine\nE = Engine(print, ('whisper-base',))\n",
                "[diarist.transcribers]\nwhisper = crows:E\ncrow = crows:E\n")  # fmt: skip
        for name in ("whisper:base", "whisper-base"):
            assert TRANSCRIBERS.find(name).package is None
        assert TRANSCRIBERS.find("crow:whisper-base").package == "crows 2.0"

    def test_one_that_cannot_be_imported_is_named_in_one_line(self, install):
        install(*BROKEN)
        with pytest.raises(
            EngineError, match=r"package broken 0.3 cannot be imported: .*parts_that_nobody_has"
        ) as caught:
            TRANSCRIBERS.find("broken:any")
        assert "install --upgrade broken" in caught.value.hint
        assert "\n" not in str(caught.value)

    def test_one_that_cannot_be_imported_stands_in_nobody_s_way(self, install, parrots):
        install(*BROKEN)
        install(parrots)
        assert found(TRANSCRIBERS, "grey") == "parrot:grey"
        assert found(TRANSCRIBERS, "whisper-base") == "whisper:whisper-base"
        with pytest.raises(InputError, match=r"No model is called 'blue'.*package broken 0.3 cannot be imported"):
            TRANSCRIBERS.find("blue")

    @pytest.mark.parametrize("code", ["ENGINE = print", "ENGINE = None", "raise SystemExit('no licence')"])
    def test_what_is_no_engine_is_named_in_one_line(self, install, code):
        install("odd", "1.0", code, "[diarist.diarizers]\nodd = odd:ENGINE\n")
        with pytest.raises(EngineError, match=r"package odd 1.0"):
            DIARIZERS.find("odd:any")

    def test_a_fault_in_its_loader_is_named_in_one_line(self, install, parrots):
        install(parrots)
        with pytest.raises(EngineError, match=r"parrot:red of the package parrots 1.2 cannot be loaded: LookupError"):
            load("parrot:red", None)


def test_no_package_is_looked_for_where_the_name_is_ours(monkeypatch):
    monkeypatch.setattr("diarist.engines.registry.entry_points", lambda **_: pytest.fail("looked through packages"))
    for name in ("whisper-base", "whisper:tiny.en", "parakeet"):
        TRANSCRIBERS.find(name)
    for name in ("embedded", "pyannote:some/pipeline"):
        DIARIZERS.find(name)


def test_finding_a_name_of_ours_loads_no_engine():
    code = (
        "import sys; from diarist.engines.own import DIARIZERS, TRANSCRIBERS; TRANSCRIBERS.find('whisper-base');"
        "DIARIZERS.find('embedded'); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"onnxruntime", "ctranslate2", "faster_whisper", "torch", "scipy"} & set(loaded)
