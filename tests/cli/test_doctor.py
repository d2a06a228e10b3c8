"""Doctor tells what is here and what to do next, without loading a model or reaching a network."""

import json
import os

import pytest

from diarist.cli.doctor import examine


def test_findings_as_json(diarist):
    done = diarist("doctor", "--json")
    assert done.returncode == 0, done.stderr
    findings = json.loads(done.stdout)
    assert {"python", "packages", "device", "transcription", "diarization", "cache"} <= {f["name"] for f in findings}
    assert all(f["status"] in {"ok", "note", "warn", "fail"} for f in findings)


def test_on_a_new_machine_it_names_the_command_that_fetches_each_model(diarist, tmp_path):
    home = {**os.environ, "DIARIST_CACHE": str(tmp_path), "HF_HOME": str(tmp_path), "DIARIST_OFFLINE": "1"}
    home.pop("MODEL_DIR", None)
    done = diarist("doctor", env=home)
    assert done.returncode == 0, done.stderr
    assert "the first run fetches" in done.stdout
    assert "→ diarist models pull segmentation-3.0 campplus" in done.stdout
    assert "offline mode is on" in done.stdout


@pytest.mark.parametrize(("value", "told"), [("0", False), ("false", False), ("", False), ("1", True), ("Yes", True)])
def test_offline_mode_is_told_only_where_it_is_on(monkeypatch, value, told):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("DIARIST_OFFLINE", value)
    assert any(finding.name == "network" for finding in examine()) is told


def test_a_missing_package_is_a_failure_with_its_mend(monkeypatch):
    monkeypatch.setattr("diarist.cli.doctor.REQUIRED", ("numpy", "no-such-package"))
    (finding,) = [finding for finding in examine() if finding.name == "packages"]
    assert finding.status == "fail"
    assert "no-such-package" in finding.detail
    assert "pip install" in finding.fix


def test_a_deployment_is_looked_at_when_diarist_toml_names_one(diarist, tmp_path):
    config = tmp_path / "diarist.toml"
    environment = {name: value for name, value in os.environ.items() if name != "RUNPOD_API_KEY"}
    assert "deployment" not in diarist("doctor", "--config", config, env=environment).stdout
    config.write_text('[runpod]\narchitecture = "single"\n[runpod.endpoints]\nsingle = "abc123"\n')
    done = diarist("doctor", "--config", config, env=environment)
    assert done.returncode == 1
    assert "deployment" in done.stdout
