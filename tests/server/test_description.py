"""The description of the API says what the routes really take and answer, no more and no less."""

import json
import re

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

FORMS = {
    "/v1/audio/transcriptions": "file",
    "/v1/audio/translations": "file",
    "/v1/audio/diarizations": "file",
    "/v1/jobs": "file",
    "/asr": "audio_file",
    "/detect-language": "audio_file",
}
CLIP = "known_speaker_references[]"


@pytest.fixture(scope="module")
def scripted_module(scripted_class):
    pipeline = scripted_class()
    pipeline.knows_voices = True
    return pipeline


@pytest.fixture(scope="module")
def client(start_module, scripted_module):
    return start_module(scripted_module)


@pytest.fixture(scope="module")
def document(client):
    return client.get("/openapi.json").json()


def fields_of(document, path):
    """Every field of a form or of an address that the description has."""
    operation = document["paths"][path]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    return form | {each["name"]: each["schema"] for each in operation.get("parameters", []) if each["in"] == "query"}


def values(schema):
    """Values that the description allows."""
    if "anyOf" in schema:
        return [value for part in schema["anyOf"] for value in values(part)]
    match schema.get("type"):
        case "array":
            return values(schema["items"])
        case "boolean":
            return [True, False]
        case "integer" | "number":
            return [schema["minimum"], schema.get("maximum", 7)]
        case "object":
            return [{"type": "server_vad", "threshold": 0.5}]
    return schema.get("enum") or schema.get("examples") or [schema.get("default")]


def companions(path, name, value):
    """What a field cannot do without."""
    if name == "webhook_url":
        return [("webhook_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    if name == "webhook_secret":
        return [("webhook_url", "https://example.com/ended")]
    if name == "known_speaker_names[]":
        return [(CLIP, "data:audio/wav;base64,AAAA")]
    match name, value:
        case (("min_speakers" | "max_speakers" | "num_speakers"), _):
            return [("diarize", "true")] if path != "/v1/audio/diarizations" else []
        case "stream", True:
            return [("response_format", "json")]
        case "timestamp_granularities[]", _:
            return [("response_format", "verbose_json")]
    return []


def test_it_is_a_valid_document(document):
    OpenAPIV31SpecValidator(document).validate()


def test_every_operation_says_what_it_takes_and_answers(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            named = f"{method} {path}"
            assert operation["summary"], named
            good = [status for status in operation["responses"] if status < "300"]
            bad = [answer for status, answer in operation["responses"].items() if status >= "400"]
            assert min(len(good), len(bad)) > 0, named
            assert all("x-request-id" in answer["headers"] for answer in operation["responses"].values()), named
            for status in good:
                empty = status == "204" or path == "/ping"
                assert empty or operation["responses"][status]["content"], named
    assert "HTTPValidationError" not in json.dumps(document)


@pytest.mark.parametrize("path", FORMS)
def test_what_is_taken_is_described(client, document, wav, path):
    answer = client.post(path, files={FORMS[path]: wav()}, data={"qqqqqqqq": "1"})
    known = re.search(r"Known fields: (.*)\.", answer.json()["error"]["message"])[1].split(", ")
    described = {name.removesuffix("[]") for name in fields_of(document, path)} - {"file", "audio_file"}
    assert described == set(known)


@pytest.mark.parametrize("path", FORMS)
def test_what_is_described_is_taken(client, document, wav, path):
    for name, schema in fields_of(document, path).items():
        if name in ("file", "audio_file", "url", CLIP):
            continue
        for value in values(schema):
            said = [(name, json.dumps(value) if not isinstance(value, str) else value), *companions(path, name, value)]
            answer = client.post(path, files={FORMS[path]: wav()}, data=dict(said), headers={"prefer": "respond-async"})
            assert answer.status_code == 202, (name, value, answer.text)


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/jobs"])
def test_a_recording_may_come_by_its_address(client, document, path):
    url = fields_of(document, path)["url"]["examples"][0]
    answer = client.post(path, files={"url": (None, url)}, headers={"prefer": "respond-async"})
    assert answer.status_code == 202, answer.text


def test_a_json_body_has_the_fields_of_the_form(client, document):
    content = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]
    form, body = (content[kind]["schema"]["properties"] for kind in ("multipart/form-data", "application/json"))
    assert set(body) == {name.removesuffix("[]") for name in form} - {"file"}
    sent = {"url": "https://example.com/a.mp3", "hotwords": ["Kopenhagen"], "num_speakers": 2, "diarize": True}
    jsonschema.validate(sent, content["application/json"]["schema"])
    assert client.post("/v1/jobs", json=sent).status_code == 202


def test_every_format_answers_as_described(client, document, wav):
    operation = document["paths"]["/v1/audio/transcriptions"]["post"]
    content = operation["responses"]["200"]["content"]
    for name in fields_of(document, "/v1/audio/transcriptions")["response_format"]["enum"]:
        answer = client.post(
            "/v1/audio/transcriptions", files={"file": wav()}, data={"response_format": name, "diarize": "true"}
        )
        assert answer.status_code == 200, (name, answer.text)
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in content, name
        if kind == "application/json":
            fits(document, content[kind]["schema"], answer.json())


@pytest.mark.parametrize(
    ("path", "sent", "schema"),
    [
        ("/v1/audio/transcriptions", {"include[]": "logprobs"}, "Transcription"),
        ("/v1/audio/transcriptions", {"response_format": "verbose_json"}, "TranscriptionVerbose"),
        (
            "/v1/audio/transcriptions",
            {"response_format": "verbose_json", "timestamp_granularities[]": "word", "diarize": "true"},
            "TranscriptionVerbose",
        ),
        (
            "/v1/audio/transcriptions",
            {"response_format": "diarized_json", "timestamp_granularities[]": "word"},
            "TranscriptionDiarized",
        ),
        ("/v1/audio/transcriptions", {"response_format": "diarist"}, "Transcript"),
        ("/v1/audio/diarizations", {}, "Diarization"),
        ("/asr?output=json&word_timestamps=true&diarize=true", {}, "AsrTranscription"),
        ("/detect-language", {}, "Language"),
    ],
)
def test_each_document_is_described_by_name(client, document, wav, path, sent, schema):
    file = FORMS[path.partition("?")[0]]
    answer = client.post(path, files={file: wav()}, data=sent)
    assert answer.status_code == 200, answer.text
    fits(document, {"$ref": f"#/components/schemas/{schema}"}, answer.json())


def test_a_diarization_says_who_speaks_when_and_no_word(client, wav):
    told = client.post("/v1/audio/diarizations", files={"file": wav()}).json()
    assert told["num_speakers"] == 2
    assert told["segments"][0] == {"start": 0.0, "end": 0.4, "speaker": "SPEAKER_00"}
    assert "Hello" not in json.dumps(told)
    rttm = client.post("/v1/audio/diarizations", files={"file": wav()}, data={"response_format": "rttm"}).text
    assert rttm.startswith("SPEAKER upload 1 0.000 0.400")


def test_errors_are_described(client, document, wav):
    for answer in (
        client.post("/v1/audio/transcriptions", files={"file": wav()}, data={"model": "whisper-9"}),
        client.post("/v1/audio/transcriptions", files={"file": b"milk"}),
        client.post("/v1/jobs", content=b"{", headers={"content-type": "application/json"}),
        client.get("/v1/jobs/none"),
        client.get("/nowhere"),
    ):
        fits(document, {"$ref": "#/components/schemas/Error"}, answer.json())


def fits(document, schema, value):
    """Check a value against a schema of the document."""
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(value)
