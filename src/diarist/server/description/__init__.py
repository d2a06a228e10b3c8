"""The description of the API: FastAPI's OpenAPI document, completed with what the routes read and answer.

The routes read their forms themselves, field by field, so that every client's spelling is understood. FastAPI knows
nothing of them; its document has the addresses, and here it gets bodies, answers and errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from diarist.server.description.answers import ERRORS, SCHEMAS, Answer
from diarist.server.description.operations import OPERATIONS, Operation

Document = dict[str, Any]

INTRODUCTION: Final = """\
OpenAI's transcription API, with speakers, and jobs for what takes longer. Clients of OpenAI need another base URL and
nothing else. All names of fields are taken with and without `[]`; an empty value is an absent one. What changes the
meaning of an answer is honoured, or refused by its name; hints that the models here lack are taken, and named in the
header `diarist-ignored`. Every error has the shape of `Error`, and every answer an `x-request-id`."""

_REQUEST_ID: Final = {
    "description": "Names this request in the server's log.",
    "schema": {"type": "string", "pattern": "^req_"},
}
_SECURITY: Final = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key of `diarist keys add`."},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key", "description": "The same, as Azure sends it."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "diarist_session",
        "description": "What `POST /session` gave for a key.",
    },
}
"""One of them where the server has keys; without, it is on the loopback address only and asks for none."""


def described(document: Mapping[str, Any]) -> Document:
    """Complete FastAPI's document.

    Args:
        document: what FastAPI makes of the routes; stays as it is.

    Returns:
        An OpenAPI 3.1 document. An operation that `OPERATIONS` does not know keeps what FastAPI says.
    """
    whole = deepcopy(dict(document))
    whole["info"] = {**whole["info"], "description": INTRODUCTION}
    whole["servers"] = [{"url": "/"}]
    whole["security"] = [{}, *({name: []} for name in _SECURITY)]
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            known = OPERATIONS.get((method, path))
            if known is not None:
                _complete(operation, known)
    whole["components"] = {"schemas": deepcopy(dict(SCHEMAS)), "securitySchemes": deepcopy(_SECURITY)}
    return whole


def _complete(operation: Document, known: Operation) -> None:
    parameters = [_parameter(each, known.parameters) for each in operation.get("parameters", [])]
    named = {each["name"] for each in parameters}
    parameters += [
        {"name": name, "in": place, "required": False, **_split(schema)}
        for name, (place, schema) in known.parameters.items()
        if name not in named
    ]
    if parameters:
        operation["parameters"] = parameters
    if known.bodies:
        content = {kind: {"schema": schema} for kind, schema in known.bodies.items()}
        operation["requestBody"] = {"required": known.needs_body, "content": deepcopy(content)}
    if known.open:
        operation["security"] = [{}]
    operation["responses"] = {
        **{str(status): _response(answer) for status, answer in known.answers.items()},
        **{str(status): _response(Answer(ERRORS[status], _ERROR)) for status in sorted(known.errors)},
    }


def _parameter(told: Document, known: Mapping[str, tuple[str, Document]]) -> Document:
    """A parameter that FastAPI knows, with what we know of it. Nothing in an address is null."""
    if told["name"] in known:
        return {**told, **_split(known[told["name"]][1])}
    schema = {name: value for name, value in told["schema"].items() if name != "title"}
    return {**told, "schema": schema}


def _split(schema: Document) -> Document:
    description = {"description": schema["description"]} if "description" in schema else {}
    return {**description, "schema": {name: value for name, value in schema.items() if name != "description"}}


def _response(answer: Answer) -> Document:
    content = {kind: {"schema": deepcopy(schema)} for kind, schema in answer.content.items()}
    headers = {"x-request-id": _REQUEST_ID, **answer.headers}
    return {
        "description": answer.description,
        "headers": deepcopy(headers),
        **({"content": content} if content else {}),
    }


_ERROR: Final = {"application/json": {"$ref": "#/components/schemas/Error"}}
