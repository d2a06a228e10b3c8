"""The page's own files: what a browser gets, under which policy, and what needs a key."""

import re

import pytest

from diarist.server.keys import Keys


@pytest.fixture
def client(start, scripted):
    return start(scripted)


def modules(client):
    return set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', client.get("/").text))


def test_the_page_and_all_that_it_names_are_there(client):
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert any(address.endswith("/main.js") for address in modules(client))
    for address in modules(client):
        part = client.get(address)
        assert part.status_code == 200, address
        assert part.headers["x-content-type-options"] == "nosniff"


def test_every_script_that_a_script_imports_is_there(client):
    imported = {
        f"{address.rpartition('/')[0]}/{name}"
        for address in modules(client)
        if address.endswith(".js")
        for name in re.findall(r"(?:from |import\()'\./([^']+)'", client.get(address).text)
    }
    assert len(imported) > 15
    assert imported <= modules(client)


def test_the_policy_lets_nothing_in_from_elsewhere(client):
    headers = client.get("/").headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "microphone=(self)" in headers["permissions-policy"]


def test_a_browser_that_has_a_file_is_not_sent_it_again(client):
    assert all("immutable" in client.get(address).headers["cache-control"] for address in modules(client))
    first = client.get("/")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert "content-security-policy" in again.headers


@pytest.mark.parametrize("name", ["nothing.js", "index.html", "..%2Fpage.js", "%2e%2e%2fpage.css", "__init__.py"])
def test_nothing_else_is_given_away(client, name):
    assert client.get(f"/assets/any/{name}").status_code == 404
    assert client.get(f"/assets/{name}").status_code == 404


def test_the_formats_are_those_that_a_result_can_have(client, wav):
    names = [one["name"] for one in client.get("/assets/formats.json").json()["data"]]
    assert {"txt", "srt", "docx", "diarist"} <= set(names)
    job = client.post("/v1/jobs", files={"file": ("a.wav", wav())}, data={"model": "diarist"}).json()
    for _ in range(500):
        if client.get(f"/v1/jobs/{job['id']}").json()["status"] == "completed":
            break
    for name in names:
        assert client.get(f"/v1/jobs/{job['id']}/result", params={"format": name}).status_code == 200, name


def test_no_markup_is_made_of_text():
    from diarist.server.page import _names
    from diarist.web import asset

    for name in _names():
        if name.endswith(".js"):
            assert not MARKUP.search(asset(f"app/{name}")), name


def test_the_page_needs_no_key_but_what_it_shows_does(start, scripted, tmp_path):
    from diarist.server.keys import Limits

    key = Keys(tmp_path / "state").add("Ada", Limits())
    client = start(scripted, use_keys=True)
    for address in ("/", *modules(client), "/assets/formats.json"):
        assert client.get(address).status_code == 200
    assert client.get("/v1/jobs").status_code == 401
    signed = client.post("/session", headers={"authorization": f"Bearer {key}"})
    assert signed.status_code == 204
    assert client.get("/v1/jobs").status_code == 200


MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
