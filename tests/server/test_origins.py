"""A browser that somebody else's page made to ask is told from a program, and from this server's own page."""

import pytest
from starlette.datastructures import Headers

from diarist.model.errors import InputError
from diarist.server.origins import check_host, check_origin

OWN = {"host": "diarist.example:8000"}


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1:8000",
        "[::1]:8000",
        "192.168.1.7",
        "team.example",
        "Team.Example.:8000",
    ],
)
def test_own_names_and_addresses_are_answered(host):
    check_host(Headers({"host": host}), {"team.example"})


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example:8000",
        "localhost.evil.example",
        "team.example.evil.example",
        "evil.example@localhost",
        "2130706433",
        "0x7f.1",
        "",
        ":8000",
        "[evil.example]",
        "localhost/evil",
    ],
)
def test_a_name_that_somebody_else_made_lead_here_is_refused(host):
    with pytest.raises(InputError) as caught:
        check_host(Headers({"host": host}), {"team.example"})
    assert caught.value.http_status == 403
    assert "--allow-host" in caught.value.hint


def test_a_request_names_one_host():
    for named in ([], [(b"host", b"localhost"), (b"host", b"evil.example")]):
        with pytest.raises(InputError) as caught:
            check_host(Headers(raw=named), frozenset())
        assert caught.value.http_status == 400


def test_a_star_is_any_name():
    check_host(Headers({"host": "anything.example"}), {"*"})
    check_host(Headers({}), {"*"})


@pytest.mark.parametrize(
    "sent",
    [
        {},  # a program
        {"origin": "http://diarist.example:8000"},
        {"origin": "HTTPS://Diarist.Example:8000"},  # a proxy speaks TLS, and http with us
        {"origin": "http://diarist.example:8000", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},  # typed by somebody
        {"origin": "https://notes.example", "sec-fetch-site": "cross-site"},
    ],
)
def test_programs_own_pages_and_pages_that_may_ask_are_let_in(sent):
    check_origin(Headers(OWN | sent), "POST", {"https://notes.example"})


@pytest.mark.parametrize(
    "sent",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://diarist.example"},  # another port is another site's
        {"origin": "http://diarist.example:80000"},
        {"origin": "http://diarist.example:8000.evil.example"},
        {"origin": "http://evil.example?diarist.example:8000"},
        {"origin": "file://diarist.example:8000"},
        {"origin": "http://[diarist.example:8000"},
        {"origin": "https://notes.example.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},  # a form's POST
    ],
)
def test_a_page_of_another_site_is_refused(sent):
    with pytest.raises(InputError) as caught:
        check_origin(Headers(OWN | sent), "POST", {"https://notes.example"})
    assert (caught.value.http_status, caught.value.code) == (403, "cross_site")


def test_the_usual_port_may_be_left_out():
    check_origin(Headers({"host": "diarist.example", "origin": "https://diarist.example"}), "POST", ())
    check_origin(Headers({"host": "diarist.example:443", "origin": "https://diarist.example"}), "POST", ())


def test_a_link_to_the_page_may_be_followed_but_not_shown_inside_another():
    sent = OWN | {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    check_origin(Headers(sent | {"sec-fetch-dest": "document"}), "GET", ())
    with pytest.raises(InputError):
        check_origin(Headers(sent | {"sec-fetch-dest": "iframe"}), "GET", ())
