"""Where remote pipelines find their endpoints."""

import pytest

from diarist.model.errors import InputError
from diarist.runpod.pipelines import EndpointPipeline, SplitPipeline
from diarist.runpod.place import open_pipeline
from diarist.runpod.settings import platform_url

SPLIT = {"RUNPOD_API_KEY": "k", "DIARIZATION_ENDPOINT_ID": "d", "TRANSCRIPTION_ENDPOINT_ID": "t"}


def test_the_environment_is_enough(tmp_path):
    none = tmp_path / "none.toml"
    assert isinstance(open_pipeline("runpod:split", SPLIT, none), SplitPipeline)
    one = {"RUNPOD_API_KEY": "k", "RUNPOD_ENDPOINT_ID": "e"}
    assert isinstance(open_pipeline("runpod:single", one, none), EndpointPipeline)
    assert isinstance(open_pipeline("runpod:orchestrator", one, none), EndpointPipeline)


def test_ids_may_stand_in_a_file_the_key_may_not(tmp_path):
    config = tmp_path / "diarist.toml"
    config.write_text('[runpod.endpoints]\nsingle = "e"\n')
    assert isinstance(open_pipeline("runpod:single", {"RUNPOD_API_KEY": "k"}, config), EndpointPipeline)
    with pytest.raises(InputError, match="RUNPOD_API_KEY"):
        open_pipeline("runpod:single", {}, config)


@pytest.mark.parametrize(
    ("place", "environ", "says"),
    [
        ("runpod:tripple", SPLIT, "no place"),
        ("runpod:split", {"RUNPOD_API_KEY": "k"}, "TRANSCRIPTION_ENDPOINT_ID and DIARIZATION_ENDPOINT_ID"),
        ("runpod:single", SPLIT, "RUNPOD_ENDPOINT_ID"),
    ],
)
def test_what_is_missing_is_named(place, environ, says, tmp_path):
    with pytest.raises(InputError, match=says):
        open_pipeline(place, environ, tmp_path / "none.toml")


def test_a_broken_file_is_named(tmp_path):
    config = tmp_path / "diarist.toml"
    config.write_text("[runpod")
    with pytest.raises(InputError, match="is not TOML"):
        open_pipeline("runpod:split", SPLIT, config)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v2", "http://localhost:8000/v2/", "http://[::1]:8000/v2"])
def test_an_emulator_on_this_machine_may_be_named(url):
    assert platform_url({"DIARIST_RUNPOD_URL": url}) == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["https://example.org/v2", "http://10.0.0.1/v2", "http://127.0.0.1.example.org/v2", "x"]
)
def test_no_other_host_gets_the_key(url):
    with pytest.raises(InputError, match="this machine"):
        platform_url({"DIARIST_RUNPOD_URL": url})


def test_without_it_the_key_goes_to_runpod():
    assert platform_url({}) == "https://api.runpod.ai/v2"
