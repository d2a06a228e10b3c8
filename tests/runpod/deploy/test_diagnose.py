"""Diagnosing a deployment: each fault has a finding, and each finding the command that mends it."""

import dataclasses

import pytest

from diarist.model.errors import EndpointError
from diarist.runpod.deploy.apply import deploy
from diarist.runpod.deploy.diagnose import crash_reason, diagnose, diagnose_deployment, gather
from diarist.runpod.deploy.plan_file import Settings
from diarist.runpod.deploy.state import write_endpoint, write_settings

SETTINGS = Settings(architecture="orchestrator", image_prefix="you/parakeet", tag="1.2.0")
PRICES = {"AMPERE_24": 0.0002, "ADA_24": 0.00031}


@pytest.fixture
def deployed(api, platform):
    """Facts about a healthy deployment, as the platform tells them."""

    def make(settings=SETTINGS):
        ids = {}
        list(deploy(api, settings, ids.__setitem__))
        return gather(api, settings, ids)

    return make


def found(facts, name, prices=PRICES):
    findings = {finding.name: finding for finding in diagnose(facts, prices)}
    assert name in findings, list(findings)
    return findings[name]


def changed(facts, role, **fields):
    """The same facts, where one endpoint is different."""
    one = facts.ids[role]
    endpoints = [{**endpoint, **fields} if endpoint["id"] == one else endpoint for endpoint in facts.endpoints]
    return dataclasses.replace(facts, endpoints=endpoints)


def test_a_healthy_deployment_has_no_failure(deployed):
    findings = list(diagnose(deployed(), PRICES))
    assert {finding.status for finding in findings if not finding.name.startswith("pool")} == {"ok"}
    assert all(finding.fix for finding in findings if finding.status != "ok")


def test_an_endpoint_that_is_gone(deployed):
    facts = deployed()
    facts = dataclasses.replace(facts, ids={**facts.ids, "diarization": "gone"})
    finding = found(facts, "diarist-diarization: endpoint")
    assert (finding.status, finding.fix) == ("fail", "diarist deploy orchestrator")


@pytest.mark.parametrize(("most", "status"), [(0, "fail"), (1, "warn"), (2, "ok"), (9, "ok")])
def test_the_platform_lowers_the_workers_of_idle_endpoints(deployed, most, status):
    facts = changed(deployed(), "transcription", workers={"min": 0, "max": most, "idleTimeout": 30})
    assert found(facts, "diarist-transcription: workers").status == status


@pytest.mark.parametrize("image", ["you/parakeet-trans:latest", "you/parakeet-trans", "host:5000/you/parakeet"])
def test_images_need_a_version(deployed, image):
    finding = found(changed(deployed(), "transcription", image=image), "diarist-transcription: image")
    assert finding.status == "warn"
    assert "--tag VERSION" in finding.fix


def test_an_image_of_another_version(deployed):
    facts = changed(deployed(), "transcription", image="you/parakeet-trans:1.1.0")
    assert found(facts, "diarist-transcription: image").status == "warn"


def test_an_orchestrator_that_leads_nowhere(deployed):
    facts = deployed()
    env = next(one["env"] for one in facts.endpoints if one["id"] == facts.ids["orchestrator"])
    facts = changed(facts, "orchestrator", env={**env, "DIARIZATION_ENDPOINT_ID": "old"})
    finding = found(facts, "diarist-orchestrator: settings")
    assert finding.status == "fail"
    assert "DIARIZATION_ENDPOINT_ID" in finding.detail


def test_flashboot_switched_off(deployed):
    finding = found(changed(deployed(), "diarization", flashboot="OFF"), "diarist-diarization: settings")
    assert (finding.status, finding.detail) == ("warn", "changed since they were deployed: flashboot")


class TestWorkers:
    CRASH = (
        "--- Starting Serverless Worker |  Version 1.12.0 ---",
        "ModuleNotFoundError: No module named 'torch'",
        "worker exited with exit code 1",
        "--- Starting Serverless Worker |  Version 1.12.0 ---",
    )

    @pytest.fixture
    def crashing(self, deployed, api, platform):
        facts = deployed()
        one = facts.ids["transcription"]
        # The platform calls it running, and none is unhealthy.
        platform.workers[one] = [{"id": "w1", "status": "RUNNING", "gpuCount": 1, "isStale": False, "version": 4}]
        platform.logs["w1"] = self.CRASH
        return lambda: gather(api, SETTINGS, facts.ids), one

    def test_a_crash_loop_is_seen_in_the_logs(self, crashing):
        facts, _ = crashing
        finding = found(facts(), "diarist-transcription: health")
        assert finding.status == "fail"
        assert "1 of 1 workers crash as they start: ModuleNotFoundError" in finding.detail

    def test_the_release_that_broke_it_is_named_and_taken_back(self, crashing, platform):
        facts, one = crashing
        entry = {"field": "template.imageName", "old": "you/parakeet-trans:1.1.0", "new": "you/parakeet-trans:1.2.0"}
        platform.releases[one] = [{"version": 4, "diff": [entry]}, {"version": 3, "diff": []}]
        finding = found(facts(), "diarist-transcription: health")
        assert finding.fix == "diarist deploy orchestrator --tag 1.1.0"

    def test_an_older_release_is_not_blamed(self, crashing, platform):
        facts, one = crashing
        platform.releases[one] = [{"version": 5, "diff": [{"field": "template.imageName", "old": "a:1", "new": "a:2"}]}]
        assert "--tag" not in found(facts(), "diarist-transcription: health").fix.replace("new --tag", "")

    def test_a_worker_that_started_once_is_not_crashing(self):
        assert crash_reason([self.CRASH[0], "Job done.", "Error: a poisoned input, refused"]) is None
        assert crash_reason([]) is None

    @pytest.mark.parametrize("line", ["container exited with code 137", "OOMKilled", "no space left on device"])
    def test_a_container_that_ended_badly_is(self, line):
        assert line in crash_reason(["starting", line])

    def test_only_lines_that_look_like_errors_are_quoted(self):
        assert crash_reason(["Starting Serverless Worker", "a private sentence", "Starting Serverless Worker"]) == (
            "it started 2 times"
        )

    def test_full_pools(self, deployed, api, platform):
        facts = deployed()
        one = facts.ids["transcription"]
        platform.workers[one] = [{"id": "w1", "status": "THROTTLED", "gpuCount": 1, "isStale": False}]
        finding = found(gather(api, SETTINGS, facts.ids), "diarist-transcription: health")
        assert (finding.status, "--pool" in finding.fix) == ("warn", True)


def test_a_cached_model_that_was_lost(deployed, platform):
    settings = dataclasses.replace(SETTINGS, cached_model="nvidia/parakeet-tdt-0.6b-v2")
    assert found(deployed(settings), "diarist-transcription: cached model").status == "ok"
    platform.models.clear()
    facts = dataclasses.replace(deployed(settings), cached={})
    assert found(facts, "diarist-transcription: cached model").status == "warn"


@pytest.mark.parametrize(("quota", "status"), [(10, "ok"), (5, "ok"), (4, "warn"), (None, "ok")])
def test_the_quota_of_workers(deployed, quota, status):
    assert found(dataclasses.replace(deployed(), quota=quota), "quota").status == status


def test_other_endpoints_count_too(deployed):
    facts = deployed()
    other = {**facts.endpoints[0], "id": "other", "workers": {"min": 0, "max": 20}}
    finding = found(dataclasses.replace(facts, endpoints=[*facts.endpoints, other]), "quota")
    assert (finding.status, finding.detail[:13]) == ("warn", "all endpoints")


class TestPools:
    def test_prices_of_today(self, deployed):
        finding = found(deployed(), "pool AMPERE_24")
        assert finding.detail == "$0.000200/s today; RTX 3090; stock with CUDA 12.8 or later: low"

    def test_a_price_that_changed(self, deployed):
        finding = found(deployed(), "pool AMPERE_24", {"AMPERE_24": 0.00015})
        assert (finding.status, finding.fix) == ("warn", "diarist plan --refresh")

    def test_a_pool_without_machines(self, deployed):
        finding = found(deployed(), "pool ADA_24")
        assert (finding.status, finding.detail) == ("warn", "no machine with CUDA 12.8 or later is free now")

    @pytest.mark.parametrize(
        ("min_cuda", "status", "said"),
        [("13.0", "warn", "no machine with CUDA 13.0 or later is free now"), (None, "ok", "stock: high")],
    )
    def test_only_hosts_that_can_run_the_image_count_as_stock(self, deployed, min_cuda, status, said):
        settings = dataclasses.replace(SETTINGS, min_cuda=min_cuda)
        finding = found(deployed(settings), "pool AMPERE_24")
        assert finding.status == status
        assert said in finding.detail

    def test_a_pool_that_does_not_exist(self, deployed):
        settings = dataclasses.replace(SETTINGS, pools=("AMPERE_24", "GONE_1"))
        assert found(dataclasses.replace(deployed(), settings=settings), "pool GONE_1").status == "fail"


class TestKey:
    def test_a_key_without_scopes(self, deployed):
        forbidden = EndpointError("key_scope", "The API key may not GET /v2/serverless.")
        facts = dataclasses.replace(deployed(), endpoints=None, refused={"endpoints": forbidden, "jobs": forbidden})
        (finding,) = diagnose(facts, PRICES)
        assert finding.status == "fail"
        assert finding.detail == "the key may not manage endpoints, nor send jobs"

    def test_what_one_call_is_refused_does_not_hide_the_rest(self, deployed, api, platform):
        facts = deployed()
        platform.faults = [("GET", "/v2/catalog", 403, {})]
        facts = gather(api, SETTINGS, facts.ids)
        assert found(facts, "key").status == "warn"
        assert found(facts, "quota").status == "ok"


class TestHook:
    def test_it_reads_diarist_toml_and_asks_the_platform(self, tmp_path, monkeypatch, deployed, platform):
        facts = deployed()
        file = tmp_path / "diarist.toml"
        write_settings(file, SETTINGS)
        for role, endpoint_id in facts.ids.items():
            write_endpoint(file, role, endpoint_id)
        monkeypatch.setenv("RUNPOD_API_KEY", "rpa_NEVER_SHOW_THIS")
        monkeypatch.setenv("RUNPOD_API_BASE_URL", platform.url)
        monkeypatch.setenv("RUNPOD_ENDPOINT_BASE_URL", f"{platform.url}/v2")
        findings = diagnose_deployment(file, PRICES)
        assert findings[0].detail == "it may manage the endpoints and send jobs"
        assert not [finding for finding in findings if finding.status == "fail"]
        assert "rpa_NEVER_SHOW_THIS" not in repr(findings)

    def test_no_key_is_a_finding(self, tmp_path, monkeypatch):
        monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
        file = tmp_path / "diarist.toml"
        write_settings(file, SETTINGS)
        (finding,) = diagnose_deployment(file)
        assert (finding.status, finding.detail) == ("fail", "RUNPOD_API_KEY is not set")

    def test_no_deployment_is_a_finding(self, tmp_path):
        (finding,) = diagnose_deployment(tmp_path / "diarist.toml")
        assert finding.status == "fail"
