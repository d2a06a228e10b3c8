"""Names of models: which are here, what each means, and what is said of one that is not."""

import pytest
from openai.types import Model as OpenAIModel

from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.server.models import Model, Models, loaded_model, parse_aliases

BASE = Model(name="whisper-base")
PARAKEET = Model(name="parakeet-tdt-0.6b-v3", takes=frozenset({"hotwords"}))


@pytest.mark.parametrize(
    ("name", "model", "diarizes"),
    [
        (None, BASE, False),
        ("", BASE, False),
        ("diarist", BASE, True),
        ("whisper-base", BASE, False),
        ("Whisper-Base", BASE, False),
        ("parakeet-tdt-0.6b-v3", PARAKEET, False),
        ("whisper-1", BASE, False),
        ("gpt-transcribe", BASE, False),
        ("gpt-4o-transcribe", BASE, False),
        ("gpt-4o-mini-transcribe", BASE, False),
        ("gpt-4o-mini-transcribe-2025-12-15", BASE, False),
        ("gpt-4o-transcribe-diarize", BASE, True),
    ],
)
def test_a_name_means_a_loaded_model_and_perhaps_speakers(name, model, diarizes):
    found = Models([BASE, PARAKEET]).find(name)
    assert (found.model, found.diarizes) == (model, diarizes)


def test_another_name_is_not_found_and_those_here_are_told():
    with pytest.raises(FieldError) as caught:
        Models([BASE]).find("whisper-bass")
    error = caught.value
    assert (error.code, error.field, error.http_status) == ("model_not_found", "model", 404)
    assert error.hint.startswith("Did you mean 'whisper-base'? Models here: diarist, whisper-1, ")
    with pytest.raises(FieldError) as caught:
        Models([BASE]).find("x\n" * 10_000)
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()


def test_aliases_are_names_of_models_here_or_of_each_other():
    models = Models([BASE, PARAKEET], {"ours": "house", "house": "parakeet-tdt-0.6b-v3", "meeting": "diarist"})
    assert models.find("ours").model == PARAKEET
    assert models.find("meeting").diarizes
    assert Models([BASE, PARAKEET], {"whisper-1": "parakeet-tdt-0.6b-v3"}).find("whisper-1").model == PARAKEET
    assert Models([BASE], {"large-diarize": "whisper-base"}).find("large-diarize").diarizes


@pytest.mark.parametrize("aliases", [{"a": "nothing"}, {"a": "b", "b": "a"}, {"a": "a"}, {"a": "b", "b": "nothing"}])
def test_an_alias_of_nothing_is_refused_when_the_server_starts(aliases):
    with pytest.raises(InputError, match="alias"):
        Models([BASE], aliases)


def test_aliases_are_read_from_the_command_line():
    assert parse_aliases(["large = whisper-base", "a/b=diarist", "large=whisper-base"]) == {
        "large": "whisper-base",
        "a/b": "diarist",
    }
    for wrong in ("large", "=whisper-base", "large=", "two words=x", f"{'x' * 101}=y"):
        with pytest.raises(InputError, match="NAME=MODEL"):
            parse_aliases([wrong])
    with pytest.raises(InputError, match="twice"):
        parse_aliases(["a=b", "a=c"])


def test_the_list_is_what_openais_client_reads():
    models = Models([BASE], {"house": "whisper-base"}, created=1_790_000_000)
    listed = [OpenAIModel.model_validate(entry, strict=True) for entry in models.listing()]
    assert [model.id for model in listed][:2] == ["diarist", "whisper-1"]
    assert {"whisper-base", "house", "gpt-4o-transcribe-diarize"} <= {model.id for model in listed}
    assert {model.owned_by for model in listed} == {"diarist"}
    assert models.entry("WHISPER-1") == models.listing()[1]
    with pytest.raises(FieldError, match="no model"):
        models.entry("other")


def test_what_an_engine_would_refuse_is_no_hint_that_it_takes():
    assert loaded_model("whisper-base").takes == {"temperature", "hotwords"}
    assert loaded_model("parakeet-tdt-0.6b-v3").takes == {"hotwords"}
    assert loaded_model("somebody-elses").takes == {"temperature", "hotwords"}
