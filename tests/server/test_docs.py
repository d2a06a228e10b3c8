"""The description for people: one page, made of the document, that needs nothing from anywhere."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from diarist.server.docs import written
from diarist.server.keys import Keys


@pytest.fixture
def client(start, scripted):
    return start(scripted)


class Seen(HTMLParser):
    """What a page has: addresses, ids, scripts."""

    def __init__(self, page):
        super().__init__()
        self.links, self.ids, self.tags, self.open = [], [], set(), []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        said = dict(attributes)
        self.links += [said[name] for name in ("href", "src") if name in said]
        self.ids += [said["id"]] if "id" in said else []
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_names_every_address_and_field(client):
    page, document = client.get("/docs"), client.get("/openapi.json").json()
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path, methods in document["paths"].items():
        assert f"> {path}</code>" in page.text
        for operation in methods.values():
            for body in operation.get("requestBody", {}).get("content", {}).values():
                for name in body["schema"]["properties"]:
                    assert re.search(rf"<code>{re.escape(name)}(\[\])?</code>", page.text), name
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page.text


def test_it_is_whole_and_its_links_lead_somewhere(client):
    seen = Seen(client.get("/docs").text)
    assert seen.open == []
    assert len(seen.ids) == len(set(seen.ids))
    assert {link[1:] for link in seen.links if link.startswith("#")} <= set(seen.ids)
    assert [link for link in seen.links if not link.startswith("#")] == ["/openapi.json"]


def test_it_runs_no_script_and_loads_nothing(client):
    page = client.get("/docs")
    assert not {"script", "link", "img", "iframe"} & Seen(page.text).tags
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    style = re.search(r"<style>(.*)</style>", page.text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert " style=" not in page.text


def test_it_needs_no_key(start, scripted, tmp_path):
    Keys(tmp_path / "state").add("anna")
    client = start(scripted, use_keys=True)
    assert client.get("/docs").status_code == client.get("/openapi.json").status_code == 200
    assert client.get("/v1/models").status_code == 401


def test_nothing_in_the_document_is_taken_for_markup():
    document = {
        "info": {"title": "<b>", "version": "&", "description": "`<i>`"},
        "paths": {"/<a>": {"get": {"summary": "<s>", "responses": {"200": {"description": "<u>"}}}}},
        "components": {"schemas": {"<p>": {"description": "<q>", "type": "string"}}},
    }
    assert not {"b", "i", "s", "u", "q"} & Seen(written(document)).tags
