"""``diarist deploy`` as users type it, against the stand-in."""

import io
import json
import signal
import sys
from types import SimpleNamespace

import pytest

from diarist.cli.app import main

KEY = "rpa_NEVER_SHOW_THIS"


@pytest.fixture
def diarist(tmp_path, platform, monkeypatch, capfd):
    """Run a command line; in this process, because there are many of them."""
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments, key=KEY, answer="", **environment):
        with monkeypatch.context() as patch:
            urls = {"RUNPOD_API_BASE_URL": platform.url, "RUNPOD_ENDPOINT_BASE_URL": f"{platform.url}/v2"}
            prices = {"DIARIST_PRICES": str(tmp_path / "prices.json")}
            for name, value in {**urls, **prices, **environment}.items():
                patch.setenv(name, value)
            if key:
                patch.setenv("RUNPOD_API_KEY", key)
            else:
                patch.delenv("RUNPOD_API_KEY", raising=False)
            patch.setattr(sys, "stdin", io.StringIO(answer))
            with pytest.raises(SystemExit) as ended:
                main([str(argument) for argument in arguments])
        stdout, stderr = capfd.readouterr()
        assert KEY not in stdout + stderr
        return SimpleNamespace(stdout=stdout, stderr=stderr, returncode=ended.value.code)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


IMAGES = ("--image-prefix", "you/parakeet", "--tag", "1.2.0")
ALL_FLAGS = """
    --name calls --cached-model nvidia/parakeet-tdt-0.6b-v2 --env DIARIST_MODEL=auto --disk 40 --registry cred1
    --pool ADA_24 --pool AMPERE_48 --exclude-gpu NVIDIA_L4 --min-cuda 12.8 --cpu cpu5c:4 --data-center EU-RO-1
    --network-volume vol1 --min-workers 1 --max-workers 4 --idle-timeout 60 --queue-delay 2 --timeout 600
    --flashboot OFF --hf-token-secret hf --child-key-secret child
""".split()  # noqa: SIM905


@pytest.mark.parametrize("architecture", ["single", "split", "orchestrator"])
@pytest.mark.parametrize("flags", [(), ALL_FLAGS])
def test_dry_run_prints_valid_requests_without_a_key_or_a_call(
    diarist, platform, architecture, flags, schema_violations
):
    result = diarist("deploy", architecture, *IMAGES, *flags, "--dry-run", "--json", key=None)
    assert result.returncode == 0, result.stderr
    requests = json.loads(result.stdout)
    creates = [request["body"] for request in requests if request["path"] == "/v2/serverless"]
    assert [request["method"] for request in requests] == ["POST"] * len(requests)
    assert len(creates) == {"single": 1, "split": 2, "orchestrator": 3}[architecture]
    assert [schema_violations("CreateEndpointRequest", body) for body in creates] == [[]] * len(creates)
    assert platform.requests == []


def test_the_life_of_a_deployment(diarist, platform, tmp_path):
    first = json.loads(diarist("deploy", "split", *IMAGES, "--json").stdout)
    assert [endpoint["action"] for endpoint in first["endpoints"]] == ["created", "created"]
    config = (tmp_path / "diarist.toml").read_text()
    assert KEY not in config
    assert first["endpoints"][0]["id"] in config

    again = diarist("deploy", "split")  # what to deploy is in diarist.toml by now
    assert again.stdout.count("unchanged") == 2

    diarist("deploy", "split", "--max-workers", "1")
    assert [body["workers"]["max"] for body in platform.bodies("PATCH")] == [1, 1]

    shown = json.loads(diarist("deploy", "status", "--json").stdout)
    assert [row["workers_max"] for row in shown["endpoints"]] == [1, 1]

    refused = diarist("deploy", "destroy", answer="n\n")
    assert (refused.returncode, len(platform.endpoints)) == (2, 2)
    assert diarist("deploy", "destroy", "--yes").stdout.count("deleted") == 2
    assert platform.endpoints == {}
    assert diarist("deploy", "status").returncode == 2


def test_a_failed_second_endpoint_is_resumed(diarist, platform, tmp_path):
    diarist("deploy", "split", *IMAGES)
    platform.endpoints.popitem()
    platform.faults = [("POST", "/v2/serverless", 422, {})]
    failed = diarist("deploy", "split")
    assert failed.returncode == 5
    assert failed.stderr.startswith("error: RunPod answered POST /v2/serverless with 422")
    assert "diarization" in (tmp_path / "diarist.toml").read_text()
    assert "created" in diarist("deploy", "split").stdout
    assert len(platform.endpoints) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("split",), "--image-prefix is missing"),
        (("split", *IMAGES, "--pool", "NOPE_24"), "no GPU pool 'NOPE_24'"),
        (("split", *IMAGES, "--env", "HF_TOKEN=hf_real"), "looks like a secret"),
        (("split", *IMAGES, "--env", "novalue"), "needs NAME=VALUE"),
        (("single", *IMAGES, "--min-workers", "9"), "more than max_workers"),
    ],
)
def test_bad_input_is_one_clear_line(diarist, platform, arguments, said):
    result = diarist("deploy", *arguments)
    assert result.returncode == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2
    assert platform.requests == []


def test_without_a_key_it_says_where_to_get_one(diarist):
    result = diarist("deploy", "single", *IMAGES, key=None)
    assert (result.returncode, "RUNPOD_API_KEY" in result.stderr) == (2, True)


def test_the_environment_stands_between_flags_and_file(diarist):
    result = diarist("deploy", "single", *IMAGES, "--dry-run", "--json", DIARIST_DEPLOY_MAX_WORKERS="2")
    assert json.loads(result.stdout)[0]["body"]["workers"]["max"] == 2
    flags = (*IMAGES, "--max-workers", "1", "--dry-run", "--json")
    result = diarist("deploy", "single", *flags, DIARIST_DEPLOY_MAX_WORKERS="2")
    assert json.loads(result.stdout)[0]["body"]["workers"]["max"] == 1


def test_latest_is_warned_about(diarist):
    result = diarist("deploy", "single", "--image-prefix", "you/p", "--tag", "latest", "--dry-run", "--json")
    assert "use a version" in result.stderr


class TestBuild:
    """The order of builds and pushes; whether the images build is another test's business."""

    @pytest.fixture
    def builder(self, tmp_path):
        """A builder on the PATH that writes down how it is called."""

        def install(name, code=0):
            folder = tmp_path / "bin"
            folder.mkdir(exist_ok=True)
            script = folder / name
            script.write_text(f'#!/bin/sh\necho "{name} $*" >> "{tmp_path}/calls"\nexit {code}\n')
            script.chmod(0o755)
            for file in ("Dockerfile.transcription", "Dockerfile.diarization"):
                (tmp_path / file).touch()
            return str(folder)

        return install

    @pytest.mark.parametrize("name", ["docker", "podman", "buildah"])
    def test_images_are_built_and_pushed_before_anything_is_deployed(self, diarist, tmp_path, builder, name):
        path = builder(name)
        result = diarist("deploy", "split", *IMAGES, "--build", PATH=path, HF_TOKEN="hf_secret")
        assert result.returncode == 0, result.stderr
        calls = (tmp_path / "calls").read_text()
        assert "hf_secret" not in calls
        build, push, *_ = calls.splitlines()
        assert build == (
            f"{name} build --platform linux/amd64 -f Dockerfile.transcription -t you/parakeet-trans:1.2.0"
            " --build-arg WEIGHTS=full"
            " --secret id=hf_token,env=HF_TOKEN ."
        )
        assert push == f"{name} push you/parakeet-trans:1.2.0"
        assert len(calls.splitlines()) == 4

    def test_images_for_gpus_hold_the_best_models_unless_told_otherwise(self, diarist, tmp_path, builder):
        call = ("deploy", "split", *IMAGES, "--build")
        path = builder("docker")
        assert diarist(*call, PATH=path, HF_TOKEN="").returncode == 0
        assert diarist(*call, "--build-arg", "ENGINES=cpu", PATH=path, HF_TOKEN="").returncode == 0
        words, _, speakers, _, words_on_cpu, *_ = (tmp_path / "calls").read_text().splitlines()
        assert " --build-arg WEIGHTS=open " in words
        assert " --build-arg WEIGHTS=open " in speakers
        assert " --build-arg WEIGHTS=open --build-arg ENGINES=cpu " in words_on_cpu

    def test_images_for_cuda_13_go_to_hosts_with_cuda_13_only(self, diarist, tmp_path, platform, builder):
        call = ("deploy", "split", *IMAGES, "--build", "--build-arg", "ENGINES=cuda13")
        result = diarist(*call, PATH=builder("docker"))
        assert (result.returncode, platform.requests, (tmp_path / "calls").exists()) == (2, [], False)
        assert "Images with ENGINES=cuda13 need hosts with CUDA 13.0" in result.stderr
        assert "Add --min-cuda 13.0." in result.stderr
        assert diarist(*call, "--min-cuda", "13.0", PATH=builder("docker")).returncode == 0

    def test_what_is_free_is_said_and_is_no_condition(self, diarist, platform):
        said = diarist("deploy", "split", *IMAGES).stderr
        assert "free now with CUDA 12.8 or later: AMPERE_24 low, ADA_24 none" in said
        platform.faults = [("GET", "/v2/catalog", 403, {})]
        again = diarist("deploy", "split", *IMAGES)
        assert again.returncode == 0
        assert "free machines unknown" in again.stderr

    def test_a_failed_build_deploys_nothing(self, diarist, platform, builder):
        result = diarist("deploy", "split", *IMAGES, "--build", PATH=builder("docker", code=3))
        assert (result.returncode, platform.requests) == (4, [])
        assert "docker build ended with 3" in result.stderr

    def test_without_a_builder_it_says_so(self, diarist, tmp_path):
        (tmp_path / "Dockerfile").touch()
        result = diarist("deploy", "single", *IMAGES, "--build", PATH=str(tmp_path))
        assert (result.returncode, "docker, podman, buildah" in result.stderr) == (2, True)

    def test_a_dry_run_builds_nothing(self, diarist, tmp_path, builder):
        result = diarist("deploy", "split", *IMAGES, "--build", "--dry-run", PATH=builder("docker"))
        assert "would run: docker build" in result.stderr
        assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("key", ["rpa_1\n2", "rpa_ключ"])
def test_what_is_no_key_is_refused_unseen(diarist, key):
    done = diarist("deploy", "single", "--image-prefix", "you/parakeet", "--tag", "1.2.0", key=key)
    assert done.returncode == 2
    assert "RUNPOD_API_KEY holds characters" in done.stderr
    assert "rpa_" not in done.stdout + done.stderr


class TestServer:
    """A load-balancing endpoint: the server instead of a queue."""

    def test_its_request_is_what_the_api_document_allows(self, diarist, platform, schema_violations):
        flags = ("--max-workers", "2", "--cached-model", "nvidia/parakeet-tdt-0.6b-v2", "--env", "DIARIST_QUEUE=3")
        result = diarist("deploy", "server", *IMAGES, *flags, "--dry-run", "--json", key=None)
        create, *cached = json.loads(result.stdout)
        body = create["body"]
        assert schema_violations("CreateEndpointRequest", body) == []
        assert (body["type"], body["scaling"]["type"]) == ("LOAD_BALANCER", "REQUEST_COUNT")
        assert body["env"]["PORT"] == body["env"]["PORT_HEALTH"] == body["ports"][0].removesuffix("/http")
        assert body["env"]["DIARIST_QUEUE"] == "3"
        assert body["image"] == "you/parakeet:1.2.0"
        assert [call["path"] for call in cached] == ["/graphql", "/graphql"]
        assert platform.requests == []

    def test_it_is_made_once_found_by_its_name_and_changed(self, diarist, platform, tmp_path):
        made = json.loads(diarist("deploy", "server", *IMAGES, "--json").stdout)["endpoints"][0]
        assert made["action"] == "created"
        assert made["url"] == f"https://{made['id']}.api.runpod.ai"
        assert "unchanged" in diarist("deploy", "server", *IMAGES).stdout
        assert "updated (workers)" in diarist("deploy", "server", *IMAGES, "--max-workers", "1").stdout
        assert len(platform.endpoints) == 1
        assert not (tmp_path / "diarist.toml").exists()

    @pytest.mark.parametrize("flags", [("--queue-delay", "2"), ("--timeout", "600"), ("--cpu", "cpu3c:2")])
    def test_what_only_queues_have_is_refused(self, diarist, flags):
        result = diarist("deploy", "server", *IMAGES, *flags)
        assert result.returncode == 2
        assert flags[0] in result.stderr

    def test_a_queue_of_its_name_is_left_alone(self, diarist, platform):
        diarist("deploy", "single", *IMAGES)
        (endpoint,) = platform.endpoints.values()
        endpoint["name"] = "diarist-server"
        result = diarist("deploy", "server", *IMAGES)
        assert result.returncode == 2
        assert "is a queue" in result.stderr
