"""Records: what was written is read as it was, and what tells one recording from another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.cluster.archive import in_shard, matches
from diarist.cluster.index import Index, on_network
from diarist.cluster.manifest import (
    Manifest,
    Output,
    Record,
    Trouble,
    digest_of,
    fits,
    from_bytes,
    key_of,
    output_name,
    to_bytes,
)
from diarist.cluster.store import Entry
from diarist.cluster.stores import open_store

NAMES = st.text(st.characters(exclude_characters="\0"), min_size=1)
NUMBERS = st.none() | st.floats(0, 1e9)


@given(
    st.builds(
        Record,
        source=NAMES,
        size=st.integers(0, 1 << 50),
        version=st.text(),
        asked=st.text(),
        sha256=st.none() | st.text(),
        models=st.lists(st.dictionaries(st.text(), st.none() | st.text()), max_size=2).map(tuple),
        outputs=st.dictionaries(st.text(), st.builds(Output, NAMES, st.integers(0), st.text()), max_size=3),
        duration=NUMBERS,
        seconds=NUMBERS,
        attempts=st.integers(0, 9),
        error=st.none() | st.builds(Trouble, st.text(), st.text(), st.text()),
    )
)
def test_a_record_is_read_as_it_was_written(record):
    assert from_bytes(to_bytes(record)) == record


def test_names_that_are_no_utf8_survive():
    name = b"caf\xe9.wav".decode(errors="surrogateescape")
    record = Record(source=name, size=1, version="", asked="")
    assert from_bytes(to_bytes(record)).source == name
    assert key_of(name) != key_of("caf\xe9.wav")


@given(st.binary(max_size=200))
def test_what_is_no_record_is_none(content):
    from_bytes(content)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[" * 100_000, b'{"source": 1, "size": 1, "version": "", "asked": ""}', b"\xff"]
)
def test_damaged_records_are_none(content):
    assert from_bytes(content) is None


def test_a_record_of_a_later_version_is_none():
    assert from_bytes(to_bytes(Record(source="a", size=1, version="", asked="", schema=99))) is None


@given(st.dictionaries(st.text(), st.none() | st.integers() | st.text(), max_size=6), st.randoms())
def test_the_digest_of_options_does_not_depend_on_their_order(options, chance):
    shuffled = list(options.items())
    chance.shuffle(shuffled)
    assert digest_of(dict(shuffled)) == digest_of(options)


@given(NAMES, st.integers(1, 50))
def test_every_recording_is_in_one_shard(name, count):
    assert sum(in_shard(name, (part, count)) for part in range(1, count + 1)) == 1


PARTS = st.text("abcäß 1-", min_size=1, max_size=5)


@given(st.lists(PARTS, min_size=1, max_size=4))
def test_globs(parts):
    name = "/".join([*parts, "talk.mp3"])
    assert matches(name, "*.mp3")
    assert matches(name, "talk.*")
    assert matches(name, f"{parts[0]}/*")
    assert matches(name, f"{parts[-1]}/")
    assert matches(name, name)
    assert not matches(name, "*.wav")
    assert not matches(name, "talk")
    assert not matches(name, "nowhere/*")


def test_names_of_outputs_keep_the_recordings_whole_name():
    assert output_name("a/b.mp3", "txt") == "a/b.mp3.txt"
    assert output_name("a/b.wav", "json") == "a/b.wav.json"
    assert fits("a" * 200)
    assert not fits("a" * 252)


@pytest.fixture
def out(tmp_path):
    return open_store(str(tmp_path))


def publish(manifest, source, content=b"text"):
    return manifest.publish(Record(source=source, size=1, version="1", asked="x"), {"txt": content})


def test_the_index_holds_what_the_records_say_and_no_more(out, tmp_path):
    file = tmp_path / "index.sqlite3"
    manifest = Manifest(out)
    records = [publish(manifest, f"{number}.wav") for number in range(5)]
    for index in (Index(file), Index(file), Index(None)):
        again = Manifest(out, index)
        again.load()
        assert sorted(again.records.values(), key=lambda each: each.source) == records
    publish(manifest, "2.wav", b"other")
    out.delete(f".diarist/{key_of('3.wav')[:2]}/{key_of('3.wav')}.json")
    again = Manifest(out, Index(file))
    again.load()
    assert again.records == {key: each for key, each in manifest.records.items() if each.source != "3.wav"}


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_damaged_index_is_made_anew(out, tmp_path, content):
    file = tmp_path / "index.sqlite3"
    record = publish(Manifest(out), "a.wav")
    file.write_bytes(content)
    for _ in range(2):
        manifest = Manifest(out, Index(file))
        manifest.load()
        assert list(manifest.records.values()) == [record]
    assert len(Index(file).all()) == 1


def test_a_recording_that_changed_or_of_which_more_is_asked_has_no_record(out):
    manifest = Manifest(out)
    record = publish(manifest, "a.wav")
    assert manifest.about(Entry("a.wav", 1, "1"), "x") == record
    assert manifest.about(Entry("a.wav", 2, "1"), "x") is None
    assert manifest.about(Entry("a.wav", 1, "2"), "x") is None
    assert manifest.about(Entry("a.wav", 1, "1"), "y") is None
    assert manifest.about(Entry("b.wav", 1, "1"), "x") is None


def test_disks_of_other_machines_are_known(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/a / ext4 rw 0 0\nserver:/x /shared\\040disk nfs4 rw 0 0\n/dev/b /shared\\040disk/local xfs rw 0 0\n"
    )
    assert not on_network(tmp_path / "a", mounts)
    assert on_network(type(tmp_path)("/shared disk/out"), mounts)
    assert not on_network(type(tmp_path)("/shared disk/local/out"), mounts)
    assert not on_network(tmp_path, tmp_path / "nowhere")
