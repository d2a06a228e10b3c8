"""Forms as Python's, Node's and browsers' clients send them arrive whole on disk; what fails leaves nothing."""

import asyncio
import hashlib
import itertools
import os
import socket
import time
from contextlib import suppress

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import Cancelled, InputError
from diarist.server.admission import Admission
from diarist.server.errors import DiskFullError, add_handlers
from diarist.server.uploads import FormBounds, read_form, sweep

KIND = "multipart/form-data; boundary=b"


def request(pieces, kind=KIND, leaves=False):
    """A request whose body comes in these pieces; its client may leave after them."""
    last = {"type": "http.disconnect"} if leaves else {"type": "http.request", "body": b""}
    messages = itertools.chain(({"type": "http.request", "body": piece, "more_body": True} for piece in pieces), [last])

    async def receive():
        return next(messages)

    return Request({"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}, receive)


def read(folder, *pieces, kind=KIND, leaves=False, **bounds):
    return asyncio.run(read_form(request(pieces, kind, leaves), folder=folder, bounds=FormBounds(**bounds)))


def part(name, content=b"", more="", headers=""):
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n{headers}\r\n'.encode() + content + b"\r\n"


END = b"--b--\r\n"


def left(folder):
    return list(folder.iterdir()) if folder.exists() else []


# What clients send


def test_fields_and_files_come_in_any_order(tmp_path):
    body = (
        part("file", b"RIFF\r\n--bRIFF", '; filename="a.wav"') + part("model", b"whisper-1") + part("n[]", b"1") + END
    )
    form = read(tmp_path, body)
    assert form.fields == (("model", "whisper-1"), ("n[]", "1"))
    (file,) = form.files
    assert (file.field, file.filename, file.num_bytes) == ("file", "a.wav", 13)
    assert file.path.read_bytes() == b"RIFF\r\n--bRIFF"
    assert file.sha256 == hashlib.sha256(b"RIFF\r\n--bRIFF").hexdigest()
    assert file.path.parent == tmp_path
    assert file.path.suffix == ".part"
    assert file.path.stat().st_mode & 0o077 == 0


def test_a_list_is_several_fields_and_clips_may_be_files_or_fields(tmp_path):
    clip = part("known_speaker_references[]", b"clip", '; filename="anna.wav"', "Content-Type: audio/wav\r\n")
    data = part("known_speaker_references[]", b"data:audio/wav;base64," + b"A" * 3_000_000)
    form = read(tmp_path, clip + data + part("names[]", b"A") + part("names[]", b"B") + END)
    assert [name for name, _ in form.fields] == ["known_speaker_references[]", "names[]", "names[]"]
    assert len(form.fields[0][1]) == 3_000_022
    assert [(file.field, file.filename) for file in form.files] == [("known_speaker_references[]", "anna.wav")]


@pytest.mark.parametrize("name", ["file", "audio_file"])
def test_a_recording_is_a_file_though_it_has_no_filename(tmp_path, name):
    form = read(tmp_path, part(name, b"\xff\xfb\x90") + END)
    assert form.fields == ()
    assert (form.files[0].filename, form.files[0].num_bytes) == ("", 3)


def test_a_file_that_nobody_chose_is_none(tmp_path):
    with read(tmp_path, part("clip", b"", '; filename=""') + part("file", b"a", '; filename=""') + END) as form:
        assert [file.field for file in form.files] == ["file"]
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\talks\\a.wav", "a.wav"),
        ("..", ".."),
        ("a\x00\x1b[2J.wav", "a[2J.wav"),
        ("Gespräch „eins“.m4a", "Gespräch „eins“.m4a"),
        ("a%22b%0D%0Ac.wav", 'a"bc.wav'),
        ('a\\"b.wav', 'a"b.wav'),
        ("a" * 3000, "a" * 200),
        ("%2e%2e%2fa", "%2e%2e%2fa"),
        ("con", "con"),
    ],
)
def test_a_filename_is_for_people_and_never_a_path(tmp_path, sent, shown):
    folder = tmp_path / "uploads"
    (file,) = read(folder, part("file", b"a", f'; filename="{sent}"') + END).files
    assert file.filename == shown
    assert [path.name for path in left(tmp_path)] == ["uploads"]
    assert left(folder) == [file.path]
    assert len(file.path.name) == 37


def test_a_filename_that_is_no_utf8_is_a_file_all_the_same(tmp_path):
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xff\xfe.wav"\r\n\r\n'
    assert read(tmp_path, head + b"a\r\n" + END).files[0].filename.endswith(".wav")


def test_an_extended_filename_makes_a_file(tmp_path):
    form = read(tmp_path, part("clip", b"a", "; filename*=utf-8''%e2%82%ac.wav") + END)
    assert (len(form.files), form.fields) == (1, ())


@pytest.mark.parametrize(
    "head", ["content-disposition: form-data; name=file", 'CONTENT-DISPOSITION:form-data;NAME="file"']
)
def test_headers_are_written_in_many_ways(tmp_path, head):
    assert read(tmp_path, f"--b\r\nX: y\r\n{head}\r\n\r\na\r\n--b--".encode()).files[0].num_bytes == 1


def test_a_form_without_files_may_be_url_encoded(tmp_path):
    form = read(
        tmp_path, b"url=https%3A%2F%2Fa.example%2Fb&mod", b"el=x&empty=", kind="application/x-www-form-urlencoded"
    )
    assert form.fields == (("url", "https://a.example/b"), ("model", "x"), ("empty", ""))


@pytest.fixture
def client(serve, tmp_path):
    app = FastAPI()
    add_handlers(app)

    @app.post("/")
    async def store(request: Request):
        with await read_form(request, folder=tmp_path / "uploads") as form:
            files = [(file.field, file.filename, file.num_bytes, file.sha256) for file in form.files]
            return {"fields": form.fields, "files": files}

    with httpx.Client(base_url=f"http://127.0.0.1:{serve(Admission(app))}", timeout=60) as client:
        yield client


def test_pythons_client_is_read_over_a_socket(client, tmp_path):
    sound = os.urandom(3_000_000)
    answer = client.post("/", files={"file": ("ä.wav", sound)}, data={"model": "x", "names[]": ["A", "B"]}).json()
    assert answer["fields"] == [["model", "x"], ["names[]", "A"], ["names[]", "B"]]
    assert answer["files"] == [["file", "ä.wav", 3_000_000, hashlib.sha256(sound).hexdigest()]]
    assert left(tmp_path / "uploads") == []


def test_a_client_that_leaves_midway_leaves_nothing(client, tmp_path):
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: {KIND}\r\nContent-Length: 9000000\r\n\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        connection.sendall(head.encode() + part("file", bytes(2_000_000)))
        while not left(tmp_path / "uploads"):
            time.sleep(0.01)
    while left(tmp_path / "uploads"):
        time.sleep(0.01)
    assert client.post("/", files={"file": b"a"}).status_code == 200


# What is refused


def test_a_form_that_is_wrong_fills_no_log(client, capfd, caplog):
    answer = client.post("/", content=b"--b\r\nno form", headers={"content-type": KIND})
    assert answer.json()["error"]["code"] == "bad_form"
    assert [record for record in caplog.records if not record.name.startswith(("http", "asyncio"))] == []
    assert capfd.readouterr().err == ""


def refused(folder, *pieces, **settings):
    """Read what cannot be read: one line says why, and nothing is left."""
    with pytest.raises((InputError, DiskFullError)) as caught:
        read(folder, *pieces, **settings)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert left(folder) == []
    return caught.value


@pytest.mark.parametrize(
    "body", [part("file", b"abc"), part("model", b"x") + b"--b", b"", b"--b\r\nContent-Dispo", b"--b"]
)
def test_a_form_that_is_cut_off(tmp_path, body):
    assert refused(tmp_path, body).code == "cut_off"


@pytest.mark.parametrize("kind", ["", "audio/wav", "application/json", "multipart/mixed; boundary=b", "text/plain"])
def test_what_is_no_form(tmp_path, kind):
    error = refused(tmp_path, b"abc", kind=kind)
    assert error.http_status == 415
    assert "multipart/form-data" in error.hint


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", KIND + "x" * 300])
def test_a_form_without_a_boundary_or_with_another(tmp_path, kind):
    refused(tmp_path, part("file", b"abc") + END, kind=kind)


@pytest.mark.parametrize(
    "body",
    [
        b"no form at all",
        b"--b\r\n\r\nabc\r\n--b--",
        b'--b\r\nContent-Disposition: attachment; name="file"\r\n\r\nabc\r\n--b--',
        b"--b\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--b--",
        b"--b\r\n: x\r\n\r\nabc\r\n--b--",
        b"--b\r\nContent Disposition: x\r\n\r\nabc\r\n--b--",
    ],
)
def test_parts_that_are_none(tmp_path, body):
    assert refused(tmp_path, body).code == "bad_form"


@pytest.mark.parametrize("body", [b"a=%ff", b"a=" + "é".encode(), b"&".join([b"a=1"] * 401)])
def test_a_url_encoded_form_that_is_none(tmp_path, body):
    refused(tmp_path, body, kind="application/x-www-form-urlencoded")


def test_a_field_that_is_no_text_is_named(tmp_path):
    error = refused(tmp_path, part("prompt", b"\xff\xfe") + END)
    assert isinstance(error, FieldError)
    assert (error.field, error.http_status) == ("prompt", 400)


def test_a_field_that_is_encoded_for_transfer_is_named(tmp_path):
    error = refused(tmp_path, part("file", b"UklGRg==", headers="Content-Transfer-Encoding: base64\r\n") + END)
    assert (error.field, error.http_status) == ("file", 400)


@pytest.mark.parametrize(
    ("bounds", "body", "status"),
    [
        ({"total_bytes": 1000}, part("file", bytes(2000)), 413),
        ({"field_bytes": 1000}, part("prompt", b"a" * 2000), 413),
        ({"fields_bytes": 1000}, part("a", b"a" * 600) + part("b", b"b" * 600), 413),
        ({"parts": 10}, part("a") * 11, 400),
        ({"files": 2}, part("file", b"a") * 3, 400),
        ({}, part("a", headers="X: y\r\n" * 20), 400),
        ({}, part("a", headers="X: " + "y" * 10_000 + "\r\n"), 400),
        ({}, part("a", headers="X" * 10_000 + ": y\r\n"), 400),
        ({}, part("a" * 100_000), 400),
    ],
)
def test_a_form_that_holds_too_much(tmp_path, bounds, body, status):
    assert refused(tmp_path, body + END, **bounds).http_status == status


def test_thousands_of_parts_are_refused_without_reading_them_all(tmp_path):
    """The rest of the body is never asked for."""
    many = (part("file", b"a", '; filename="a"') * 1000 for _ in itertools.count())
    assert refused(tmp_path, *itertools.islice(many, 5)).http_status == 400


def test_a_client_that_leaves_is_told_from_a_form_that_is_wrong(tmp_path):
    with pytest.raises(Cancelled):
        read(tmp_path, part("file", b"abc"), leaves=True)
    assert left(tmp_path) == []


@pytest.fixture
def full_disk(monkeypatch):
    """What is opened is made, and written to the kernel's device that is always full."""
    real = os.open

    def open_full(path, *rest):
        os.close(real(path, *rest))
        return real("/dev/full", os.O_WRONLY)

    monkeypatch.setattr(os, "open", open_full)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_one_line_and_nothing_is_left(tmp_path):
    error = refused(tmp_path, part("file", bytes(3_000_000)) + END)
    assert (error.http_status, error.code) == (507, "disk_full")
    assert str(tmp_path) not in str(error)


@pytest.mark.usefixtures("full_disk")
def test_a_small_file_on_a_full_disk_is_noticed_when_it_is_closed(tmp_path):
    assert refused(tmp_path, part("file", b"abc") + END).http_status == 507


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DiskFullError) as caught:
        read(tmp_path / "file" / "uploads", part("file", b"abc") + END)
    assert str(tmp_path) not in str(caught.value)


# What becomes of it


def test_what_is_kept_stays_and_the_rest_goes(tmp_path):
    with read(tmp_path, part("file", b"abc") + part("clip", b"d", '; filename="d"') + END) as form:
        form.files[0].keep(tmp_path / "recording")
    assert [path.name for path in left(tmp_path)] == ["recording"]
    assert (tmp_path / "recording").read_bytes() == b"abc"


def test_what_cannot_be_kept_is_one_line(tmp_path):
    with read(tmp_path, part("file", b"abc") + END) as form, pytest.raises(DiskFullError) as caught:
        form.files[0].keep(tmp_path / "no" / "folder")
    assert caught.value.http_status == 507


def test_a_start_sweeps_away_what_a_loss_of_power_left(tmp_path):
    (tmp_path / "a.part").touch()
    (tmp_path / "kept").touch()
    sweep(tmp_path)
    assert [path.name for path in left(tmp_path)] == ["kept"]
    sweep(tmp_path / "nothing")


# Any form, and any piece of one

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='\\%"'), min_size=1, max_size=20)
FIELDS = st.tuples(NAMES, st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=50).map(str.encode))
FILES = st.tuples(NAMES, st.text("ab.ä ", min_size=1, max_size=10), st.binary(max_size=300))
NASTY = st.lists(st.sampled_from([b"\r\n", b"--b", b"\r\n--", b"\r", b"-", b"--b--", b"x"]), max_size=8).map(b"".join)
BOUNDARY = "b0undary"


@given(st.lists(FIELDS | FILES | st.tuples(NAMES, st.just("n"), NASTY), max_size=8), st.lists(st.integers(1, 60)))
def test_any_form_is_read_back_however_it_is_cut(tmp_path_factory, sent, cuts):
    sent = [row for row in sent if row[1] is not None or row[0] not in {"file", "audio_file"}]
    files = [(None, (name, (filename, content))) for name, filename, content in sent if filename is not None]
    fields = [(name, content.decode()) for name, filename, content in sent if filename is None]
    body = b""
    for name, filename, content in sent:
        more = "" if filename is None else f'; filename="{filename}"'
        body += (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"
        )
    body += f"--{BOUNDARY}--\r\n".encode()
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(body[at : at + cut])
        at += cut
    folder = tmp_path_factory.mktemp("form")
    with read(folder, *pieces, body[at:], kind=f"multipart/form-data; boundary={BOUNDARY}") as form:
        assert list(form.fields) == fields
        found = [(None, (file.field, (file.filename, file.path.read_bytes()))) for file in form.files]
        assert found == files
    assert left(folder) == []


PIECES = st.sampled_from(
    [
        b"--b\r\n",
        b"--b--",
        b"--b",
        b"\r\n",
        b"\n",
        b"\r",
        b":",
        b"; ",
        b'"',
        b"\x00",
        b"\xff",
        b"Content-Disposition: form-data; ",
        b'name="file"',
        b'filename="../a"',
        b"filename*=",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Type: text/plain; charset=utf-16\r\n",
        b"a" * 5000,
    ]
)


@settings(max_examples=400)
@given(st.lists(st.lists(PIECES | st.binary(max_size=10), max_size=30).map(b"".join), max_size=4), st.data())
def test_no_body_does_more_than_be_refused(tmp_path_factory, pieces, data):
    folder = tmp_path_factory.mktemp("form")
    kind = data.draw(st.sampled_from([KIND, 'multipart/form-data; boundary="b"', "application/x-www-form-urlencoded"]))
    with suppress(InputError), read(folder, *pieces, kind=kind):
        pass
    assert left(folder) == []
