"""The description of the API for people: ``GET /docs``, one page made of the OpenAPI document, without a script."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

router = APIRouter(include_in_schema=False)

OPEN_PATHS: Final = ("/docs", "/openapi.json")
"""What needs no key: the document is the same everywhere."""

_STYLE: Final = """
:root{color-scheme:light dark;--line:light-dark(#ccc,#444);--dim:light-dark(#555,#aaa)}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
code{font:0.9em ui-monospace,monospace}
h2{border-top:1px solid var(--line);padding-top:1.5rem;margin-top:2rem}
h2 code{font-weight:bold}
.method{text-transform:uppercase}
.dim{color:var(--dim)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:0.3rem 0.8rem 0.3rem 0;border-bottom:1px solid var(--line)}
"""
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


@router.get("/docs")
async def docs(request: Request) -> Response:
    """What this server takes and answers."""
    return Response(written(request.app.openapi()), media_type="text/html; charset=utf-8", headers=_HEADERS)


def written(document: Mapping[str, Any]) -> str:
    """Write an OpenAPI document as a page."""
    info = document["info"]
    title = f"{info['title']} {info['version']}"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}: API</title>',
        '<meta name="viewport" content="width=device-width">',
        f"<style>{_STYLE}</style></head><body><main>",
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{_text(info.get('description', ''))}</p>",
        '<p>For programs: <a href="/openapi.json">openapi.json</a>.</p><nav aria-label="Operations"><ul>',
        *(
            f'<li><a href="#{_anchor(method, path)}"><code><span class="method">{method}</span> {html.escape(path)}'
            f"</code></a> {_text(operation.get('summary', ''))}</li>"
            for path, method, operation in _operations(document)
        ),
        "</ul></nav>",
        *(_operation(path, method, operation) for path, method, operation in _operations(document)),
        "<h2>Documents</h2>",
        *(_schema(name, schema) for name, schema in document["components"]["schemas"].items()),
        "</main></body></html>",
    ]
    return "\n".join(parts)


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    address = f'<code><span class="method">{method}</span> {html.escape(path)}</code>'
    parts = [
        f'<section><h2 id="{_anchor(method, path)}">{address}</h2>',
        f"<p><strong>{_text(operation.get('summary', ''))}.</strong> {_text(operation.get('description', ''))}</p>",
    ]
    parameters = [
        (each["name"], each["in"], {**each["schema"], "description": each.get("description", "")})
        for each in operation.get("parameters", [])
    ]
    if parameters:
        rows = [(f"<code>{html.escape(name)}</code>", where, *_told(schema)) for name, where, schema in parameters]
        parts.append(_table(("Parameter", "In", "Type", "What it is"), rows))
    bodies = operation.get("requestBody", {}).get("content", {})
    for kind, body in bodies.items():
        parts.append(f"<h3>As <code>{html.escape(kind)}</code></h3>")
        if kind == "application/json" and len(bodies) > 1:
            parts.append("<p>The same fields, without a file and without <code>[]</code>.</p>")
        else:
            parts.append(_fields(body["schema"]))
    answers = [
        (
            status,
            " ".join(_content(kind, each["schema"]) for kind, each in answer.get("content", {}).items()),
            _text(answer["description"]),
        )
        for status, answer in operation["responses"].items()
    ]
    parts.append(_table(("Answer", "Holds", "When"), answers))
    return "".join(parts) + "</section>"


def _content(kind: str, schema: Mapping[str, Any]) -> str:
    told = _type(schema) if kind == "application/json" else ""
    return f"<code>{html.escape(kind)}</code>{f': {told}' if told else ''}<br>"


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    told = _fields(schema) if "properties" in schema else f"<p>{_type(schema)}</p>"
    described = f"<p>{_text(schema['description'].partition(chr(10))[0])}</p>" if "description" in schema else ""
    return f'<section><h3 id="{html.escape(name)}">{html.escape(name)}</h3>{described}{told}</section>'


def _fields(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = []
    for name, part in schema.get("properties", {}).items():
        kind, told = _told(part)
        rows.append(
            (
                f"<code>{html.escape(name)}</code>{' <span class=dim>always</span>' if name in required else ''}",
                kind,
                told,
            )
        )
    return _table(("Field", "Type", "What it is"), rows)


def _told(schema: Mapping[str, Any]) -> tuple[str, str]:
    usual = schema.get("default")
    usually = "" if usual is None else f' <span class="dim">Usually {html.escape(str(usual).lower())}.</span>'
    return _type(schema), _text(schema.get("description", "")) + usually


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = html.escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema and "type" not in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"<code>{html.escape(str(each))}</code>" for each in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and "properties" in schema:
        return "object with " + ", ".join(f"<code>{html.escape(name)}</code>" for name in schema["properties"])
    named = "file" if schema.get("format") == "binary" else " or ".join([kind] if isinstance(kind, str) else kind)
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{named}, {least} to {most}"
    return named if least in (None, 0) else f"{named}, from {least}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(text: str) -> str:
    """Escape, with ``code`` as code."""
    return re.sub(r"``(.+?)``|`(.+?)`", lambda found: f"<code>{found[1] or found[2]}</code>", html.escape(text))


def _anchor(method: str, path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{method} {path}".lower()).strip("-")
