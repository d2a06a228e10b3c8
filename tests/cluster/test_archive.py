"""Archives with a scripted engine: what becomes of each recording, and of a second run."""

import contextlib
import json
import os
import resource
import shutil
import signal
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
import archivists
from archivists import EATS_MEMORY, HANGS, RAISES, SEGFAULTS, Site, record, wait_for

HARMLESS = 10_000


@pytest.fixture
def site(tmp_path, scripted_package):
    return Site(tmp_path, scripted_package)


def fill(site, count):
    """Recordings of different levels in several folders; returns the names."""
    for number in range(count):
        record(site.src / f"{number % 3}" / f"talk {number}.wav", HARMLESS + number)
    return sorted(str(file.relative_to(site.src)) for file in site.src.rglob("*.wav"))


def test_each_recording_gets_its_files_and_a_second_run_does_nothing(site):
    names = fill(site, 4)
    (site.src / "notes.md").write_text("no recording")
    done = site.run("-f", "txt,json", "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert sorted(site.files()) == sorted(f"{name}.{ending}" for name in names for ending in ("txt", "json"))
    assert "level10000" in (site.out / "0/talk 0.wav.txt").read_text()
    one = site.records()["0/talk 0.wav"]
    assert (one["attempts"], one["duration"], one["error"]) == (1, 3.0, None)
    assert [model["revision"] for model in one["models"]] == ["r1", "r1"]
    before, loaded = site.files(), site.loaded()
    again = site.run("-f", "txt,json", "--workers", 1)
    assert again.returncode == 0
    assert "4 of 4 recordings done" in again.stderr
    assert (site.files(), site.loaded()) == (before, loaded)
    index = site.out / ".diarist" / "index.sqlite3"
    assert index.is_file()
    index.unlink()
    assert site.run("-f", "txt,json", "--workers", 1).returncode == 0
    assert index.is_file()
    assert (site.files(), site.loaded(), site.drafts()) == (before, loaded, [])


def test_other_formats_are_written_from_the_transcript_that_is_there(site):
    fill(site, 1)
    site.run("-f", "json", "--workers", 1)
    loaded = site.loaded()
    assert site.run("-f", "json,srt", "--workers", 1).returncode == 0
    assert "level10000" in (site.out / "0/talk 0.wav.srt").read_text()
    assert site.loaded() == loaded


@pytest.mark.slow
def test_recordings_that_do_harm_are_set_aside_and_no_other_suffers(site):
    names = fill(site, 12)
    for name, level in (("dies", SEGFAULTS), ("hangs", HANGS), ("eats", EATS_MEMORY), ("raises", RAISES)):
        record(site.src / f"{name}.wav", level)
    (site.src / "broken.mp3").write_bytes(b"no sound")
    done = site.run("--workers", 2, "--timeout", 20)
    assert done.returncode == 1
    records = site.records()
    why = {name: each["error"]["code"] for name, each in records.items() if each["error"]}
    assert why == {
        "dies.wav": "ends_its_worker",
        "hangs.wav": "ends_its_worker",
        "eats.wav": "engine_failed",
        "raises.wav": "engine_failed",
        "broken.mp3": "audio_not_recognised",
    }
    assert "signal 11" in records["dies.wav"]["error"]["message"]
    assert "longer than 20 s" in records["hangs.wav"]["error"]["message"]
    assert "MemoryError" in records["eats.wav"]["error"]["message"]
    assert all(name in done.stderr for name in why)
    assert sorted(site.digests()) == names
    begun = site.begun()
    assert [begun.count(level) for level in (SEGFAULTS, HANGS, EATS_MEMORY, RAISES)] == [2, 2, 2, 2]
    loaded = site.loaded()
    assert site.run("--workers", 2).returncode == 1
    assert site.loaded() == loaded
    record(site.src / "dies.wav", HARMLESS)  # somebody mends it: it is taken without being asked for
    record(site.src / "raises.wav", RAISES)
    for name in ("hangs.wav", "eats.wav"):
        (site.src / name).unlink()
    last = site.run("--workers", 1, "--retry")
    assert last.returncode == 1
    assert "dies.wav" in site.digests()


@pytest.mark.slow
def test_one_run_at_a_time(site):
    fill(site, 2)
    first = site.start("--workers", 1, SCRIPTED_SECONDS="30")
    try:
        wait_for(site.begun)
        second = site.run("--workers", 1)
        assert second.returncode == 2
        assert "Another run works on this archive" in second.stderr
        first.send_signal(signal.SIGTERM)
        _, said = first.communicate(timeout=60)
        assert first.returncode == 130, said
        assert site.drafts() == []
    finally:
        first.kill()
        first.communicate()
    assert site.run("--workers", 1).returncode == 0
    assert len(site.digests()) == 2


def test_what_was_published_before_a_death_is_adopted(site):
    names = fill(site, 2)
    site.run("--workers", 1)
    begun = len(site.begun())
    kept, lost = (next(site.out.glob(f".diarist/??/{key}.json")) for key in map(_key, names))
    os.rename(kept, kept.with_suffix(".intent"))  # as if it had died before the record
    os.rename(lost, lost.with_suffix(".intent"))
    (site.out / f"{names[1]}.txt").unlink()  # and here, before the transcript
    (site.out / "0" / ".diarist-0123456789abcdef").write_text("half of a fi")
    before = site.files()[f"{names[0]}.txt"]
    done = site.run("--workers", 1)
    assert done.returncode == 0, done.stderr
    assert "1 were finished when an earlier run died" in done.stderr
    assert site.files()[f"{names[0]}.txt"] == before
    assert len(site.begun()) == begun + 1
    assert len(site.digests()) == 2
    assert site.drafts() == []


def _key(name):
    import hashlib

    return hashlib.sha256(os.fsencode(name)).hexdigest()


def test_a_full_disk_stops_the_run_and_blames_nobody(site):
    record(site.src / "long.wav", HARMLESS, seconds=600)
    small = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    done = site.run(
        "-f", "json", "--workers", 1, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, small))
    )
    assert done.returncode == 2
    assert "Cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert site.files() == {}
    again = site.run("-f", "json", "--workers", 1)
    assert again.returncode == 0, again.stderr
    assert list(site.digests()) == ["long.wav"]
    assert site.drafts() == []


def test_files_of_others_and_changed_ones_stay(site):
    names = fill(site, 2)
    (site.out / "0").mkdir(parents=True)
    (site.out / f"{names[0]}.txt").write_text("my own notes")
    done = site.run("--workers", 1)
    assert done.returncode == 1
    assert "not as this archive wrote it" in done.stderr
    assert (site.out / f"{names[0]}.txt").read_text() == "my own notes"
    (site.out / f"{names[1]}.txt").write_text("corrected by hand")
    assert site.run("--workers", 1).returncode == 1
    assert (site.out / f"{names[1]}.txt").read_text() == "corrected by hand"
    record(site.src / names[1], HARMLESS + 50)  # another recording now, whose transcript would go there
    assert site.run("--workers", 1).returncode == 1
    assert (site.out / f"{names[1]}.txt").read_text() == "corrected by hand"
    assert site.run("--workers", 1, "--overwrite").returncode == 0
    assert "level10050" in (site.out / f"{names[1]}.txt").read_text()


@pytest.mark.slow
def test_a_file_that_changes_while_it_is_read_gets_the_transcript_of_what_it_became(site):
    path = record(site.src / "grows.wav", HARMLESS)
    process = site.start("--workers", 1, SCRIPTED_SECONDS="3")
    wait_for(site.begun)
    record(path, HARMLESS + 1, seconds=5)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert site.begun() == [HARMLESS, HARMLESS + 1]
    found = site.records()["grows.wav"]
    assert (found["duration"], found["size"]) == (5.0, path.stat().st_size)
    assert "level10001" in (site.out / "grows.wav.txt").read_text()


def test_shards_share_an_archive(site):
    names = fill(site, 6)
    assert site.run("--workers", 1, "--shard", "1/2").returncode == 0
    half = sorted(site.digests())
    assert 0 < len(half) < 6
    assert site.run("--workers", 1, "--shard", "2/2").returncode == 0
    assert sorted(site.digests()) == names
    assert len(site.begun()) == 6


def test_globs_limits_and_a_dry_run(site):
    fill(site, 6)
    told = site.run("--include", "1/*", "--exclude", "* 4.wav", "--dry-run")
    assert told.returncode == 0
    assert "1 recordings to do, 0:03 of audio" in told.stdout
    assert not site.out.exists()
    assert site.run("--workers", 1, "--limit", 2).returncode == 0
    assert len(site.digests()) == 2
    told = site.run("--workers", 1, "--dry-run", "--calibrate", 2)
    assert told.returncode == 0
    assert "2 recordings to do" in told.stdout
    assert "by 4 done before" in told.stdout
    assert len(site.digests()) == 4


def test_status_and_verify(site, tmp_path):
    names = fill(site, 2)
    record(site.src / "bad.wav", RAISES)
    lines = [json.loads(line) for line in site.run("--workers", 1, "--json-progress").stderr.splitlines()]
    assert {(line["recording"], line["state"]) for line in lines[:-1]} == {
        (names[0], "done"),
        (names[1], "done"),
        ("bad.wav", "set aside"),
    }
    assert lines[-1]["summary"]["done"] == 2
    assert list(lines[-1]["summary"]["troubles"]) == ["bad.wav"]

    def look(what):
        site.src, before = Path(what), site.src
        found = site.run()
        site.src = before
        return found

    status = look("status")
    assert status.returncode == 0
    assert "2 recordings done, 0:06 of audio" in status.stdout
    assert "bad.wav" in status.stdout
    assert look("verify").returncode == 0
    (site.out / f"{names[0]}.txt").write_text("x")
    (site.out / f"{names[1]}.txt").unlink()
    wrong = look("verify")
    assert wrong.returncode == 1
    assert f"{names[0]}.txt: changed" in wrong.stdout
    assert f"{names[1]}.txt: missing" in wrong.stdout


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.heavy) for seed in (2, 3))])
def test_kills_of_workers_and_drivers_lose_nothing_and_repeat_nothing(site, seed, tmp_path):
    import random

    chance = random.Random(seed)
    names = fill(site, 100)
    record(site.src / "dies.wav", SEGFAULTS)
    undisturbed = shutil.copytree(site.src, tmp_path / "other" / "src").parent
    other = Site.__new__(Site)
    other.src, other.out, other.notes, other.package = (
        undisturbed / "src",
        undisturbed / "out",
        undisturbed / "notes",
        site.package,
    )
    assert other.run("--workers", 2).returncode == 1
    process, finished = None, {}
    kills = chance.sample(["worker", "worker", "worker", "driver", "driver", "all"], 6)
    for what in kills:
        if process is None:
            process = site.start("--workers", 2, "--quiet", SCRIPTED_SECONDS="0.1")
        before = len(site.begun())
        more = before + chance.randrange(4, 10)
        wait_for(lambda more=more: len(site.begun()) >= more)
        assert process.poll() is None
        workers = _children(process.pid)
        for pid in workers if what == "all" else [chance.choice(workers)] if what == "worker" else []:
            _kill(pid)
        if what != "worker":
            process.kill()
            process.communicate(timeout=60)
            process = None
        now = site.files()
        assert all(now[name] == at for name, at in finished.items()), "what was finished is not touched again"
        finished = {name: at for name, at in now.items() if not Path(name).name.startswith(".diarist-")}
    process = process or site.start("--workers", 2, "--quiet")
    _, said = process.communicate(timeout=200)
    assert process.returncode == 1, said
    assert all(site.files()[name] == at for name, at in finished.items())
    assert site.digests() == other.digests()
    assert sorted(site.digests()) == names
    assert {name for name, each in site.records().items() if each["error"]} == {"dies.wav"}
    assert site.drafts() == []
    # Each death costs what two workers did and had at hand, and no more: nothing that was published.
    begun = site.begun()
    assert len(begun) - begun.count(SEGFAULTS) <= 100 + 4 * len(kills)


def _children(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in found.read_text().split()] if found.exists() else []


def _kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_watching_takes_new_recordings_until_it_is_stopped(site):
    fill(site, 1)
    process = site.start("--workers", 1, "--watch")
    try:
        wait_for(lambda: len(site.records()) == 1)
        record(site.src / "new.wav", HARMLESS + 7)
        wait_for(lambda: "new.wav" in site.records())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
    finally:
        process.kill()
        process.communicate()
    assert site.loaded() == 1
    assert site.drafts() == []


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.models
@pytest.mark.timeout(900)
def test_real_speech_with_real_models_whatever_is_killed(site, call, tmp_path, monkeypatch):
    from diarist.audio.audio import Audio
    from diarist.audio.clips import wav

    monkeypatch.setattr(archivists, "ENGINES", ("--model", "whisper-base", "--diarizer", "embedded"))
    for number in range(4):
        (site.src / f"{number}.wav").write_bytes(wav(Audio(call[number * 64_000 :][:160_000])))
    process = site.start("--workers", 2, "-f", "json")
    wait_for(site.records, 250)
    _kill(_children(process.pid)[-1])
    wait_for(lambda: len(site.records()) >= 2, 250)
    process.kill()
    process.communicate()
    before = site.digests()
    assert site.run("--workers", 1, "-f", "json").returncode == 0
    after = site.digests()
    assert after.items() >= before.items()
    assert len(after) == 4
    shutil.rmtree(site.out)
    assert site.run("--workers", 1, "-f", "json").returncode == 0
    assert site.digests() == after
