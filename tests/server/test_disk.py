"""A bound on what is kept: what can be made again goes first, then recordings, then jobs, the oldest first."""

import os

import pytest


def submit(client, recording, name):
    job = client.post("/v1/jobs", files={"file": (name, recording)}).json()["id"]
    client.get(f"/v1/jobs/{job}/events").read()
    return job


class TestBound:
    @pytest.fixture
    def bounded(self, start, scripted):
        return lambda size: start(scripted, disk_bytes=size)

    def wait(self, client, condition):
        """Until a look at the disk has made it so; the fixture's timeout ends what never comes."""
        while not condition():
            client.get("/health")

    def test_what_can_be_made_again_goes_first(self, bounded, wav, tmp_path):
        client = bounded(10_000_000)
        job = submit(client, wav(60 / 16_000, value=os.urandom(32_000)), "a.wav")  # noise, which FLAC makes no smaller
        client.get(f"/v1/jobs/{job}/audio")
        client.stop()
        taken = sum(path.stat().st_size for path in (tmp_path / "state").rglob("*") if path.is_file())
        client = bounded(taken - 1_000_000)
        self.wait(client, lambda: not list((tmp_path / "state" / "audio").glob("*.flac")))
        assert client.get("/health").json()["let_go_early"] == 0
        assert client.get(f"/v1/jobs/{job}").json()["recording"] is True

    def test_then_recordings_the_oldest_first_and_words_stay(self, bounded, wav):
        client = bounded(3_200_000)
        first, second = submit(client, wav(45), "a.wav"), submit(client, wav(50), "b.wav")
        self.wait(client, lambda: client.get("/health").json()["let_go_early"])
        assert client.get(f"/v1/jobs/{first}/audio").status_code == 410
        assert client.get(f"/v1/jobs/{second}").json()["recording"] is True
        assert client.get(f"/v1/jobs/{first}/transcript").status_code == 200

    def test_health_says_how_much_there_is_and_how_much_may_be(self, bounded, wav):
        client = bounded(50_000_000)
        submit(client, wav(30), "a.wav")
        health = client.get("/health").json()
        assert health["disk_bytes_allowed"] == 50_000_000
        assert health["disk_bytes"] > 960_000
        assert health["let_go_early"] == 0

    def test_without_a_bound_nothing_goes(self, start, scripted):
        assert "disk_bytes_allowed" not in start(scripted).get("/health").json()

    def test_what_is_under_way_stays_and_more_is_refused(self, bounded, scripted, wav):
        client = bounded(1_000_000)
        scripted.go.clear()
        job = client.post("/v1/jobs", files={"file": ("a.wav", wav(60))}).json()["id"]
        answer = client.post("/v1/jobs", files={"file": ("b.wav", wav(1))})
        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "disk_full"
        assert answer.headers["retry-after"] == "30"
        scripted.go.set()
        client.get(f"/v1/jobs/{job}/events").read()
        assert client.get(f"/v1/jobs/{job}").json()["status"] == "completed"
        assert client.post("/v1/jobs", files={"file": ("b.wav", wav(1))}).status_code == 202
