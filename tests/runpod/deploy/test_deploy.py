"""Deploying: what is asked of the platform, and that asking again changes nothing."""

import dataclasses
import json
import socket

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from diarist.architectures import ARCHITECTURES
from diarist.model.errors import EndpointError, InputError
from diarist.runpod.deploy import apply as deploying
from diarist.runpod.deploy.api import RunpodApi, find_endpoint, model_reference, save_input
from diarist.runpod.deploy.apply import changes, deploy, destroy, dry_run, endpoint_body
from diarist.runpod.deploy.plan_file import Settings, by_hand

MODEL = "nvidia/parakeet-tdt-0.6b-v2"


def settings(architecture="split", **others):
    return Settings(architecture=architecture, image_prefix="you/parakeet", tag="1.2.0", **others)


def run(api, wanted, known=None):
    ids = {}
    return list(deploy(api, wanted, ids.__setitem__, known)), ids


EVERYTHING = {
    "name": "calls",
    "pools": ("ADA_24", "ADA_48_PRO"),
    "excluded_gpus": ("NVIDIA L40",),
    "min_cuda": "12.11",
    "cpu": "cpu5c:4",
    "data_centers": ("EU-RO-1",),
    "network_volumes": ("vol1",),
    "min_workers": 1,
    "max_workers": 8,
    "idle_timeout": 90,
    "queue_delay": 0.5,
    "timeout": 3600,
    "disk": 40,
    "flashboot": "PRIORITY_FLASHBOOT",
    "registry": "cred1",
    "env": {"DIARIST_MODEL": "parakeet-tdt-0.6b-v2", "HF_TOKEN": "{{ RUNPOD_SECRET_hf }}"},
    "hf_token_secret": "hf",
    "child_key_secret": "child",
    "cached_model": MODEL,
}


class TestBodies:
    @pytest.mark.parametrize("architecture", ARCHITECTURES)
    @pytest.mark.parametrize("others", [{}, EVERYTHING, {"min_cuda": None, "flashboot": "OFF"}])
    def test_every_body_is_a_create_request_of_the_openapi_document(self, architecture, others, schema_violations):
        for request in dry_run(settings(architecture, **others)):
            if request.path == "/v2/serverless":
                assert schema_violations("CreateEndpointRequest", request.body) == []
            else:
                assert request.path == "/graphql"

    def test_the_check_itself_refuses_what_the_platform_would(self, schema_violations):
        body = endpoint_body("single", settings("single"), {})
        assert schema_violations("CreateEndpointRequest", {**body, "unknown": 1})
        assert schema_violations("CreateEndpointRequest", {**body, "disk": "20"})
        del body["image"]
        assert schema_violations("CreateEndpointRequest", body)

    @settings_of_hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
    @given(
        pools=st.lists(st.sampled_from(["ADA_24", "AMPERE_24", "HOPPER_141"]), min_size=1, unique=True),
        workers=st.integers(1, 1000),
        idle=st.integers(1, 3600),
        delay=st.floats(0.5, 3600),
        architecture=st.sampled_from(list(ARCHITECTURES)),
    )
    def test_whatever_settings_are_accepted_give_valid_bodies(
        self, schema_violations, pools, workers, idle, delay, architecture
    ):
        wanted = settings(architecture, pools=tuple(pools), max_workers=workers, idle_timeout=idle, queue_delay=delay)
        for request in dry_run(wanted):
            assert schema_violations("CreateEndpointRequest", request.body) == []

    def test_split_is_two_gpu_endpoints(self):
        words, speakers = dry_run(settings("split"))
        assert words.body["image"] == "you/parakeet-trans:1.2.0"
        assert speakers.body["image"] == "you/parakeet-diar:1.2.0"
        assert words.body["gpu"] == {"pools": ["AMPERE_24", "ADA_24"], "count": 1, "minCudaVersion": "12.8"}
        assert words.body["flashboot"] == "FLASHBOOT"  # the platform's own default is OFF

    def test_the_orchestrator_is_a_small_cpu_endpoint_wired_to_the_two_others(self):
        *_, last = dry_run(settings("orchestrator"))
        assert last.body["cpu"] == [{"id": "cpu3c", "vcpuCount": 2}]
        assert last.body["env"] == {
            "RUNPOD_LOG_LEVEL": "INFO",
            "RUNPOD_MIN_MEMORY_GB": "0.5",
            "TRANSCRIPTION_ENDPOINT_ID": "<id of diarist-transcription>",
            "DIARIZATION_ENDPOINT_ID": "<id of diarist-diarization>",
            "CHILD_API_KEY": "{{ RUNPOD_SECRET_diarist_child_key }}",
            "DIARIST_DEADLINE": "2340",
        }

    def test_its_cache_reaches_the_orchestrator_and_models_reach_the_legs(self):
        env = {
            "DIARIST_CACHE_URL": "file:///runpod-volume/transcripts",
            "DIARIST_CACHE_SECONDS": "60",
            "DIARIST_MODEL": "parakeet",
            "AWS_ENDPOINT_URL_S3": "https://example.org",
        }
        words, _, last = dry_run(settings("orchestrator", env=env, network_volumes=("vol1",)))
        cache = {name: value for name, value in last.body["env"].items() if name.startswith(("DIARIST_C", "DIARIST_M"))}
        assert cache == {
            "DIARIST_CACHE_URL": "file:///runpod-volume/transcripts",
            "DIARIST_CACHE_SECONDS": "60",
            "DIARIST_CACHE_VERSION": last.body["image"].rpartition(":")[2],
        }
        assert last.body["networkVolumes"] == words.body["networkVolumes"] == ["vol1"]
        assert words.body["env"]["DIARIST_MODEL"] == "parakeet"
        assert "DIARIST_CACHE_URL" not in words.body["env"]
        for request in (words, last):
            assert request.body["env"]["AWS_ENDPOINT_URL_S3"] == "https://example.org"

    def test_a_volume_that_the_orchestrator_does_not_use_does_not_bind_it_to_a_place(self):
        _, _, last = dry_run(settings("orchestrator", network_volumes=("vol1",)))
        assert "networkVolumes" not in last.body

    def test_a_cache_on_no_volume_is_refused(self):
        with pytest.raises(InputError, match="there is none") as caught:
            settings("orchestrator", env={"DIARIST_CACHE_URL": "file:///runpod-volume/x"})
        assert "--network-volume" in caught.value.hint

    def test_the_orchestrator_outlasts_its_legs(self):
        words, _, last = dry_run(settings("orchestrator", timeout=900))
        assert words.body["timeout"] == 900_000
        assert words.body["timeout"] < 1000 * int(last.body["env"]["DIARIST_DEADLINE"]) < last.body["timeout"]

    @pytest.mark.parametrize("architecture", ARCHITECTURES)
    def test_the_defaults_fit_the_five_workers_of_a_new_account(self, architecture):
        assert sum(request.body["workers"]["max"] for request in dry_run(settings(architecture))) <= 5

    def test_workers_never_log_transcripts(self):
        for architecture in ARCHITECTURES:
            for request in dry_run(settings(architecture)):
                assert request.body["env"]["RUNPOD_LOG_LEVEL"] == "INFO"


class TestSettings:
    @pytest.mark.parametrize(
        "bad",
        [
            {"tag": "1 2"},
            {"image_prefix": "You/Parakeet"},
            {"name": "-x"},
            {"pools": ()},
            {"cpu": "cpu3c:3"},
            {"cpu": "cpu3c"},
            {"min_cuda": "12"},
            {"flashboot": "on"},
            {"idle_timeout": 0},
            {"idle_timeout": 3601},
            {"queue_delay": 0.4},
            {"timeout": 1},
            {"max_workers": 0},
            {"min_workers": -1},
            {"min_workers": 4, "max_workers": 3},
            {"disk": 0},
            {"cached_model": "no-organisation"},
            {"env": {"1X": "y"}},
            {"architecture": "cluster"},
            {"architecture": "single", "cached_diarization_model": "a/b"},
        ],
    )
    def test_bad_values_are_refused_in_one_line(self, bad):
        with pytest.raises(InputError) as caught:
            Settings(**{"architecture": "split", "image_prefix": "you/p", "tag": "1", **bad})
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("named", "hint"),
        [
            ({"cached_model": "nvidia/parakeet-tdt-0.6b-v9"}, "Did you mean"),
            ({"cached_model": "somebody/else"}, "Choose from"),
            ({"cached_model": "pyannote/speaker-diarization-community-1"}, ""),
            ({"cached_diarization_model": "nvidia/parakeet-tdt-0.6b-v2"}, "pyannote/"),
        ],
    )
    def test_a_cached_model_that_workers_do_not_know_is_refused(self, named, hint):
        with pytest.raises(InputError, match="do not know") as caught:
            settings(**named)
        assert hint in caught.value.hint

    def test_a_cached_model_is_known_in_any_case_and_revision_and_one_s_own_by_its_folder(self):
        settings(cached_model="NVIDIA/parakeet-tdt-0.6b-v2:main")
        settings(cached_model="me/mine", env={"DIARIST_MODEL": "/runpod-volume/huggingface-cache/hub/models--me--mine"})

    @pytest.mark.parametrize("name", ["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_KEY", "DB_PASSWORD"])
    def test_secrets_are_refused_by_name_and_not_repeated(self, name):
        with pytest.raises(InputError) as caught:
            settings(env={name: "hf_realsecret"})
        assert "hf_realsecret" not in str(caught.value)
        assert "RUNPOD_SECRET" in caught.value.hint
        settings(env={name: "{{ RUNPOD_SECRET_x }}"})

    def test_what_no_api_can_set_is_said(self):
        assert by_hand(settings("single")) == []
        steps = by_hand(settings("orchestrator", hf_token_secret="hf"))
        assert "diarist_child_key" in steps[0]
        assert "hf" in steps[1]


class TestChanges:
    def found(self, **others):
        return {**endpoint_body("transcription", settings(), {}), "id": "ep1", **others}

    def test_what_is_as_wanted_needs_no_change(self):
        found = self.found(registry=None, dataCenterIds=[], networkVolumes=[])
        found["gpu"] |= {"allowedCudaVersions": [], "excludedTypes": []}
        assert changes(found, endpoint_body("transcription", settings(), {})) == {}

    def test_only_what_differs_is_sent(self):
        wanted = endpoint_body("transcription", settings(disk=30), {})
        assert changes(self.found(), wanted) == {"disk": 30}

    def test_environment_set_elsewhere_is_kept(self):
        found = self.found(env={"RUNPOD_LOG_LEVEL": "DEBUG", "MINE": "1"})
        sent = changes(found, endpoint_body("transcription", settings(), {}))
        assert sent == {"env": {"RUNPOD_LOG_LEVEL": "INFO", "MINE": "1"}}

    def test_limits_that_are_no_longer_wanted_are_cleared(self, schema_violations):
        found = self.found(dataCenterIds=["EU-RO-1"], registry="cred1", networkVolumes=["vol1"])
        found["gpu"] = {
            "pools": ["AMPERE_24", "ADA_24"],
            "count": 1,
            "allowedCudaVersions": ["12.6"],
            "minCudaVersion": None,
            "excludedTypes": ["NVIDIA L4"],
        }
        sent = changes(found, endpoint_body("transcription", settings(min_cuda=None), {}))
        assert schema_violations("UpdateEndpointRequest", sent) == []
        assert sent["gpu"]["excludedTypes"] == []
        assert sent["gpu"]["allowedCudaVersions"] == []
        assert (sent["dataCenterIds"], sent["networkVolumes"], sent["registry"]) == ([], [], None)

    def test_a_gpu_endpoint_cannot_become_a_cpu_endpoint(self):
        wanted = endpoint_body("orchestrator", settings("orchestrator"), {"transcription": "a", "diarization": "b"})
        with pytest.raises(InputError, match="cannot be exchanged"):
            changes(self.found(), wanted)


class TestLifeCycle:
    def test_create_then_again_then_one_change(self, api, platform):
        results, ids = run(api, settings("orchestrator"))
        assert [result.action for result in results] == ["created"] * 3
        assert platform.endpoints[ids["orchestrator"]]["env"]["DIARIZATION_ENDPOINT_ID"] == ids["diarization"]

        before = len(platform.writes())
        results, again = run(api, settings("orchestrator"))
        assert [result.action for result in results] == ["unchanged"] * 3
        assert again == ids
        assert len(platform.writes()) == before

        results, _ = run(api, settings("orchestrator", idle_timeout=45))
        assert platform.writes()[before:] == [
            ("PATCH", f"/v2/serverless/{ids['transcription']}"),
            ("PATCH", f"/v2/serverless/{ids['diarization']}"),
        ]
        assert [result.action for result in results] == ["updated", "updated", "unchanged"]

    def test_one_setting_of_one_endpoint_is_one_patch(self, api, platform):
        run(api, settings("single"))
        results, ids = run(api, settings("single", disk=30))
        assert platform.bodies("PATCH") == [{"disk": 30}]
        assert results[0].changed == ("disk",)
        assert platform.endpoints[ids["single"]]["disk"] == 30

    def test_a_failed_second_endpoint_is_made_up_for(self, api, platform):
        platform.faults = [("POST", "/v2/serverless", 400, {})]
        ids = {}
        with pytest.raises(EndpointError, match="as ordered"):
            list(deploy(api, settings("split"), ids.__setitem__))
        assert ids == {}
        # … and now the second of two.
        stream = deploy(api, settings("split"), ids.__setitem__)
        assert next(stream).role == "transcription"
        platform.faults = [("POST", "/v2/serverless", 422, {})]
        with pytest.raises(EndpointError):
            next(stream)
        assert list(ids) == ["transcription"]
        results, _ = run(api, settings("split"), ids)
        assert [result.action for result in results] == ["unchanged", "created"]
        assert len(platform.endpoints) == 2

    def test_an_answer_that_is_lost_makes_no_second_endpoint(self, api, platform):
        platform.faults = [("POST", "/v2/serverless", "lost", {})]
        results, _ = run(api, settings("single"))
        assert len(platform.endpoints) == 1
        assert results[0].id in platform.endpoints

    def test_busy_platforms_are_waited_for(self, api, platform):
        platform.faults = [
            ("GET", "/v2/serverless", 503, {}),
            ("GET", "/v2/serverless", 429, {"Retry-After": "0"}),
            ("POST", "/v2/serverless", 429, {"Retry-After": "Mon, 23 Nov 2020 00:00:00 GMT"}),
        ]
        results, _ = run(api, settings("single"))
        assert results[0].action == "created"

    def test_it_gives_up_after_a_few_times(self, api, platform):
        platform.faults = [("GET", "/v2/serverless", 503, {})] * 9
        with pytest.raises(EndpointError, match="503") as caught:
            run(api, settings("single"))
        assert "again" in caught.value.hint
        assert len(platform.requests) == 5

    def test_endpoints_are_found_by_id_and_by_either_name(self, api, platform):
        _, ids = run(api, settings("single"))
        platform.endpoints[ids["single"]]["name"] = "diarist-single -fb"
        assert run(api, settings("single"))[0][0].action == "unchanged"
        platform.endpoints[ids["single"]]["name"] = "renamed"
        assert run(api, settings("single"), ids)[0][0].id == ids["single"]

    def test_from_split_to_orchestrator_adds_one_endpoint(self, api):
        run(api, settings("split"))
        results, _ = run(api, settings("orchestrator"))
        assert [result.action for result in results] == ["unchanged", "unchanged", "created"]

    def test_destroy_deletes_callers_first_and_does_not_mind_what_is_gone(self, api, platform):
        _, ids = run(api, settings("orchestrator"))
        del platform.endpoints[ids["diarization"]]
        gone = []
        results = list(destroy(api, ids, gone.append))
        assert gone == ["orchestrator", "diarization", "transcription"]
        assert dict(results) == {"orchestrator": True, "diarization": False, "transcription": True}
        assert platform.endpoints == {}


class TestCachedModels:
    def test_the_model_is_merged_into_what_the_platform_knows(self, api, platform):
        results, ids = run(api, settings("single", cached_model=MODEL))
        saved = platform.models[ids["single"]]
        assert saved["modelReferences"] == [f"https://huggingface.co/{MODEL}:main"]
        assert saved["workersMax"] == 3  # saveEndpoint resets what it is not sent
        assert saved["networkVolumeIds"] == [{"networkVolumeId": "vol1"}]
        assert "templateId" not in saved
        assert results[0].not_set == ()
        assert run(api, settings("single", cached_model=MODEL))[0][0].action == "unchanged"

    def test_where_it_fails_the_endpoint_stands_and_the_way_by_hand_is_said(self, api, platform):
        platform.faults = [("POST", "/graphql", 410, {})]
        results, ids = run(api, settings("single", cached_model=MODEL))
        assert results[0].action == "created"
        assert f"runpodctl serverless update {ids['single']} --model-reference" in results[0].not_set[0]

    def test_names_are_compared_in_both_forms(self):
        assert deploying.same_model(["a/b"], model_reference("a/b"))
        assert deploying.same_model(["a/b:main"], model_reference("a/b"))
        assert not deploying.same_model(["a/b:other"], model_reference("a/b"))
        assert not deploying.same_model(None, model_reference("a/b"))

    def test_nulls_that_the_mutation_refuses_are_dropped(self):
        read = {"id": "e", "templateId": None, "compliance": None, "locations": None, "networkVolumeIds": None}
        assert save_input(read, ["x"]) == {
            "id": "e",
            "locations": None,
            "networkVolumeIds": [],
            "modelReferences": ["x"],
        }


class TestTheKey:
    def test_a_refused_key_is_one_line_without_the_key(self, platform):
        with RunpodApi("wrong-secret", platform.url) as api, pytest.raises(EndpointError) as caught:
            api.endpoints()
        assert caught.value.code == "key_refused"
        assert "wrong-secret" not in str(caught.value)

    @pytest.mark.parametrize("url", ["http://api.runpod.io", "ftp://127.0.0.1", "http://127.0.0.1.example.org"])
    def test_it_is_sent_nowhere_unencrypted(self, url):
        with pytest.raises(InputError, match="not sent"):
            RunpodApi("key", url)

    def test_a_platform_out_of_reach_is_one_line(self, platform):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        with RunpodApi("key", f"http://127.0.0.1:{port}") as api, pytest.raises(EndpointError) as caught:
            api.endpoints()
        assert caught.value.code == "runpod_unreachable"


def test_settings_survive_their_file(tmp_path):
    from diarist.runpod.deploy.state import read_endpoints, read_settings, write_endpoint, write_settings

    file = tmp_path / "diarist.toml"
    file.write_text('# mine\nmodel = "auto"  # keep\n\n[runpod]\ntag = "1.0.0"  # the stable one\n')
    everything = settings(**EVERYTHING)
    write_endpoint(file, "transcription", "ep1")
    write_settings(file, everything)
    write_endpoint(file, "diarization", "ep2")
    assert Settings(**read_settings(file)) == everything
    assert read_endpoints(file) == {"transcription": "ep1", "diarization": "ep2"}
    text = file.read_text()
    assert text.startswith('# mine\nmodel = "auto"  # keep')
    assert "# the stable one" in text
    plain = dataclasses.replace(everything, env={}, data_centers=())
    write_settings(file, plain)
    assert Settings(**read_settings(file)) == plain
    write_endpoint(file, "diarization", None)
    assert read_endpoints(file) == {"transcription": "ep1"}
    assert [path.name for path in tmp_path.iterdir()] == ["diarist.toml"]


@pytest.mark.parametrize("text", ["[runpod", "runpod = 3", "[runpod]\ncolour = 'red'", "[runpod.endpoints]\nx = 'y'"])
def test_a_damaged_file_is_one_line(tmp_path, text):
    from diarist.runpod.deploy.state import read_endpoints, read_settings

    file = tmp_path / "diarist.toml"
    file.write_text(text)
    read = read_endpoints if "endpoints" in text else read_settings
    with pytest.raises(InputError) as caught:
        read(file)
    assert caught.value.code == "bad_config"


def test_names_with_and_without_the_old_suffix():
    assert find_endpoint([{"name": "a -fb"}], "a") == {"name": "a -fb"}
    assert find_endpoint([{"name": "ab"}], "a") is None


def test_dry_run_holds_no_value_that_is_secret(monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_secret")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    for architecture in ARCHITECTURES:
        text = json.dumps([dataclasses.asdict(request) for request in dry_run(settings(architecture))])
        assert "rpa_secret" not in text
        assert "hf_secret" not in text
