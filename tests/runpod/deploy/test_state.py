"""``diarist.toml`` is people's own file: what is wrong in it is said in one line that names the setting."""

import pytest

from diarist.model.errors import InputError
from diarist.runpod.deploy.plan_file import Settings
from diarist.runpod.deploy.state import read_endpoints, read_settings, write_endpoint, write_settings

GOOD = {"architecture": "single", "image_prefix": "a/b", "tag": "1"}


@pytest.fixture
def toml(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "diarist.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('max_workers = "x"', "max_workers"),
        ("max_workers = true", "max_workers"),
        ("queue_delay = 1979-05-27", "queue_delay"),
        ("pools = [1]", "pools"),
        ('pools = "ADA_24"', "pools"),
        ("env = {A = 1}", "env"),
        ("env = []", "env"),
        ("name = {}", "name"),
        ("tag = 1", "tag"),
        ("surprise = 1", "surprise"),
    ],
)
def test_a_setting_of_another_type_is_refused_by_its_name(toml, line, name):
    with pytest.raises(InputError, match=name):
        read_settings(toml(f"[runpod]\n{line}\n"))


@pytest.mark.parametrize("line", ["queue_delay = nan", "queue_delay = inf", f'cpu = "a:{"9" * 5000}"', "timeout = -1"])
def test_a_setting_out_of_range_is_refused(toml, line):
    with pytest.raises(InputError):
        Settings(**GOOD, **read_settings(toml(f"[runpod]\n{line}\n")))


@pytest.mark.parametrize(
    "content",
    [
        "runpod = 1",
        "[[runpod]]",
        "a = " + "[" * 10_000,
        "a" + ".a" * 10_000 + " = 1",
        "a = " + "9" * 10_000,
        "a = 9999-99-99",
        "\\u0000 = 1",
        b"\xff\xfe",
        b"[runpod]\nname = \x00",
        "#" * 100_000,
        "[runpod]\nendpoints = 1",
    ],
)
def test_a_damaged_file_is_one_clear_line_and_stays_as_it_is(toml, content):
    path = toml(content)
    before = path.read_bytes()
    for use in (read_endpoints, lambda file: write_endpoint(file, "single", "abc")):
        with pytest.raises(InputError, match=r"diarist\.toml|not a table"):
            use(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("line", ["single = 1", "single = '../..'", "surprise = 'abc'"])
def test_what_is_no_endpoint_is_refused(toml, line):
    with pytest.raises(InputError, match="bad entry"):
        read_endpoints(toml(f"[runpod.endpoints]\n{line}\n"))


def test_what_is_written_is_read_and_comments_stay(toml):
    path = toml("# mine\r\n[runpod]\r\ntag = '1' # this too\r\n")
    write_settings(path, Settings(**{**GOOD, "tag": "2"}, env={"A": "b"}, pools=("ADA_24",)))
    write_endpoint(path, "single", "abc123")
    assert read_settings(path) == {**GOOD, "tag": "2", "env": {"A": "b"}, "pools": ("ADA_24",)}
    assert read_endpoints(path) == {"single": "abc123"}
    assert "# mine" in path.read_text()
