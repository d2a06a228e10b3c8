"""Requests made of the description itself, right ones and wrong ones: none breaks the server or its own promises.

`schemathesis` makes them and judges the answers: no status 5xx, no status, type, header or body that is not described.
Not asked of it: whether every wrong request is refused and every right one taken. The API takes flags, numbers and
lists in every spelling that clients have, and refuses fields that contradict each other; `test_description` holds that.
"""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from diarist.server.desk import DeskBounds

pytestmark = pytest.mark.slow

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    "POST /v1/audio/transcriptions",
    "POST /v1/audio/translations",
    "POST /v1/audio/diarizations",
    "GET /v1/models",
    "GET /v1/models/{name}",
    "POST /asr",
    "POST /detect-language",
    "POST /v1/jobs",
    "GET /v1/jobs",
    "GET /v1/jobs/{job_id}",
    "DELETE /v1/jobs/{job_id}",
    "POST /v1/jobs/{job_id}/cancel",
    "GET /v1/jobs/{job_id}/events",
    "GET /v1/jobs/{job_id}/result",
    "GET /v1/jobs/{job_id}/transcript",
    "GET /v1/jobs/{job_id}/edits",
    "POST /v1/jobs/{job_id}/edits",
    "POST /v1/jobs/{job_id}/speakers",
    "GET /v1/jobs/{job_id}/audio",
    "GET /v1/jobs/{job_id}/peaks",
    "GET /v1/search",
    "GET /v1/voices",
    "POST /v1/voices",
    "GET /v1/voices/{name}",
    "DELETE /v1/voices/{name}",
    "GET /health",
    "GET /ping",
    "GET /metrics",
]
WITH_FIELDS = [label for label in OPERATIONS if label.startswith("POST") and "{" not in label] + [
    "GET /v1/jobs",
    "GET /v1/search",
]
"""Those of which a request can be wrong."""
READS = {"POST /v1/audio/transcriptions": 60, "POST /v1/jobs": 40, "POST /asr": 40}
"""How many requests of each kind, right and wrong; elsewhere 15."""


@pytest.fixture(scope="module")
def server(start_module, scripted_class):
    pipeline = scripted_class()
    pipeline.knows_voices = True
    return start_module(pipeline, bounds=DeskBounds(queued=100_000))


@pytest.fixture
def described(server, wav):
    """Read the description for right or for wrong requests; the right ones have real recordings."""
    recordings = st.one_of(st.just(wav()), st.just(wav(0.5, 8_000)), st.binary(max_size=200))

    def described(mode):
        # What schemathesis makes wrong requests of must be text.
        schemathesis.openapi.format("binary", recordings if mode == "positive" else st.text())
        description = schemathesis.openapi.from_url(f"{server.base_url}/openapi.json")
        return {operation.label: operation for result in description.get_all_operations() if (operation := result.ok())}

    return described


def test_every_operation_is_tried(described):
    assert set(described("positive")) == set(OPERATIONS)


@pytest.mark.parametrize(
    ("label", "mode"), [*((label, "positive") for label in OPERATIONS), *((label, "negative") for label in WITH_FIELDS)]
)
def test_no_request_breaks_the_server_or_its_promises(server, described, wav, label, mode):
    operation = described(mode)[label]
    kept = server.post("/v1/jobs", files={"file": wav()}).json()["id"]
    has_job = "{job_id}" in label
    anything = operation.as_strategy(schemathesis.GenerationMode(mode))
    known = operation.as_strategy(schemathesis.GenerationMode("positive"), path_parameters={"job_id": kept})

    @settings(
        max_examples=READS.get(label, 15),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(anything, known) if has_job else anything)
    def holds(case):
        case.call_and_validate(base_url=str(server.base_url).rstrip("/"), checks=CHECKS)

    holds()
    assert server.get("/health").json()["status"] == "ok"
