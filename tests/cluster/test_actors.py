"""A pool of Ray actors on two nodes of loopback: deaths of workers are blamed, deaths of machines are not."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest

from diarist.cluster import Task, run

pytest.importorskip("ray", reason="needs the extra ray")
sys.path.append(str(Path(__file__).parent))
import scripted
from archivists import Site, record, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore")]
HOST = "127.0.0.2"  # Ray takes 127.0.0.1 for the machine's outer address


@pytest.fixture
def cluster(tmp_path, monkeypatch, scripted_package):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    path = os.pathsep.join(
        filter(None, [str(Path(__file__).parent), str(scripted_package), os.environ.get("PYTHONPATH", "")])
    )
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("SCRIPTED_NOTES", str(tmp_path / "notes"))
    monkeypatch.setenv("SCRIPTED_SECONDS", "0.3")
    made = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "node_ip_address": HOST, "include_dashboard": False}
    )
    yield made
    made.shutdown()


def test_tasks_are_done_and_those_that_end_their_worker_are_given_up(cluster, tmp_path):
    from diarist.cluster.actors import Actors

    payloads = [
        *(("say", number) for number in range(6)),
        ("die", "x"),
        ("die_once", "y"),
        ("refuse",),
        ("fail_once", "z"),
    ]
    tasks = [Task(f"{number}", lambda payload=payload: payload) for number, payload in enumerate(payloads)]
    tasks.append(Task("hangs", lambda: ("sleep", "h", 600), limit=2))
    with Actors(partial(scripted.start, tmp_path), 2, cluster.address) as pool:
        found = {each.task.key: each for each in run(tasks, pool)}
    assert [found[f"{number}"].result for number in range(6)] == list(range(6))
    assert (found["6"].error.code, found["6"].deaths) == ("ends_its_worker", 2)
    assert found["7"].result == ("y", 1)
    assert found["8"].error.code == "bad"
    assert found["9"].result == ("z", 1)
    assert "longer than 2 s" in found["hangs"].error.message


@pytest.mark.heavy
def test_the_end_of_a_machine_is_blamed_on_no_task(cluster, tmp_path):
    from diarist.cluster.actors import Actors

    second = cluster.add_node(num_cpus=2, node_ip_address=HOST)
    tasks = [Task(f"{number}", lambda number=number: ("sleep", number, 4)) for number in range(8)]
    with Actors(partial(scripted.start, tmp_path), 4, cluster.address) as pool:
        found, gone = {}, False
        for each in run(tasks, pool):
            found[each.task.key] = each
            if not gone:
                cluster.remove_node(second, allow_graceful=False)
                gone = True
    assert sorted(each.result for each in found.values()) == list(range(8))
    assert all(each.deaths == 0 for each in found.values())


@pytest.mark.heavy
def test_an_archive_survives_the_end_of_a_machine_and_of_its_driver(cluster, tmp_path, scripted_package):
    second = cluster.add_node(num_cpus=2, node_ip_address=HOST)
    site, alone = Site(tmp_path, scripted_package), tmp_path / "alone"
    for number in range(40):
        record(site.src / f"{number}.wav", 10_000 + number)
    on = ("--ray", cluster.address, "--workers", 3, "--quiet")
    process = site.start(*on)
    wait_for(lambda: len(site.begun()) >= 8)
    cluster.remove_node(second, allow_graceful=False)
    wait_for(lambda: len(site.begun()) >= 18)
    process.kill()
    process.communicate()
    before = site.files()
    last = site.run(*on[:-1])
    assert last.returncode == 0, last.stderr
    assert all(site.files()[name] == at for name, at in before.items() if ".diarist-" not in name)
    digests, site.out = site.digests(), alone
    assert site.run("--workers", 1, SCRIPTED_SECONDS="0").returncode == 0
    assert digests == site.digests()
    assert len(digests) == 40
