"""The table of architectures: everybody who plans, deploys or runs workers computes with it, and it is true."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.architectures import ARCHITECTURES, ROLES, most_workers
from diarist.model.errors import InputError
from diarist.places import PLACES
from diarist.planning.decision import Needs
from diarist.planning.demand import all_workers
from diarist.planning.plan import make_estimate, make_plan
from diarist.planning.prices import packaged_prices
from diarist.planning.profiles import load_profile, packaged_profiles
from diarist.planning.question import Question
from diarist.planning.simulate import SimulatedEndpoint, System, Work, simulate
from diarist.planning.systems import Scaling, system_of
from diarist.planning.workload import Request, Workload
from diarist.runpod.deploy.apply import dry_run
from diarist.runpod.deploy.plan_file import Settings
from diarist.runpod.limits import Limits
from diarist.runpod.place import open_pipeline

ROOT = Path(__file__).parents[1]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MOST = 64  # workers of a GPU endpoint


def question(**others):
    wanted = {"profile": load_profile("rtx-3090"), "prices": packaged_prices(), "gpu": "RTX 3090", **others}
    return Question(workload=Workload(100), **wanted)


def deployed(architecture, **others):
    """What `diarist deploy` asks the platform for, by role: fewest and most workers, idle timeout in seconds."""
    settings = Settings(architecture=architecture, image_prefix="you/parakeet", tag="1.2.0", **others)
    return {
        request.body["name"].removeprefix("diarist-"): tuple(
            request.body["workers"][name] for name in ("min", "max", "idleTimeout")
        )
        for request in dry_run(settings)
    }


def planned(architecture, **others):
    """What `diarist plan` simulates."""
    system = system_of(architecture, load_profile("rtx-3090"), Scaling(**others))
    return {
        role: (endpoint.min_workers, endpoint.max_workers, endpoint.idle_timeout)
        for role, endpoint in system.endpoints.items()
    }


def emulated(architecture, **others):
    """What `diarist emulate` runs."""
    pytest.importorskip("aiohttp", reason="needs the extra runpod")
    from diarist.runpod.emulator.emulator import scalings

    return {
        role: (scaling.min_workers, scaling.max_workers, scaling.idle_timeout)
        for role, scaling in scalings(architecture, **others).items()
    }


class TestWorkers:
    @pytest.mark.parametrize("architecture", ARCHITECTURES)
    @pytest.mark.parametrize("max_workers", range(1, MOST + 1))
    def test_plan_deploy_and_emulator_have_the_same_workers(self, architecture, max_workers):
        asked = {"min_workers": 0, "max_workers": max_workers, "idle_timeout": 7}
        wanted = deployed(architecture, **asked)
        assert planned(architecture, **asked) == wanted
        assert emulated(architecture, **asked) == wanted
        total = sum(most for _, most, _ in wanted.values())
        assert all_workers(architecture, question(max_workers=max_workers)) == total

    @given(
        architecture=st.sampled_from(list(ARCHITECTURES)),
        workers=st.tuples(st.integers(0, MOST), st.integers(1, MOST)).filter(lambda pair: pair[0] <= pair[1]),
        idle_timeout=st.integers(1, 3600),
    )
    def test_and_the_same_idle_timeouts(self, architecture, workers, idle_timeout):
        fewest, most = workers
        asked = {"min_workers": fewest, "max_workers": most, "idle_timeout": idle_timeout}
        assert planned(architecture, **asked) == emulated(architecture, **asked) == deployed(architecture, **asked)

    @pytest.mark.parametrize(("legs", "orchestrators"), [(1, 1), (8, 1), (9, 2), (15, 2), (16, 2), (17, 3), (64, 8)])
    def test_an_orchestrator_worker_for_every_eight_of_a_leg_rounded_up(self, legs, orchestrators):
        assert most_workers("orchestrator", legs) == orchestrators

    @given(architecture=st.sampled_from(list(ARCHITECTURES)), quota=st.integers(0, 300))
    def test_a_quota_is_used_up_and_kept(self, architecture, quota):
        shape = ARCHITECTURES[architecture]
        assert shape.workers(shape.fitting(quota)) <= quota < shape.workers(shape.fitting(quota) + 1)

    @pytest.mark.parametrize("architecture", ARCHITECTURES)
    def test_a_plan_that_a_quota_allows_can_be_deployed_within_it(self, architecture):
        for quota in (3, 5, 11, 12, 23, 24):
            plan = make_estimate(question(needs=Needs(worker_quota=quota)))
            option = next(option for option in plan.options if option.architecture == architecture)
            most = option.scaling.max_workers
            assert sum(workers for _, workers, _ in deployed(architecture, max_workers=most).values()) <= quota


def peak_of_a_leg(leg_workers, orchestrators):
    """Most workers of one leg that ever run, when far more jobs come at once than all of them can hold."""
    legs = SimulatedEndpoint(
        max_workers=leg_workers, billed_start=5.0, idle_timeout=60.0, jobs=ROLES["transcription"].jobs
    )
    front = SimulatedEndpoint(
        max_workers=orchestrators, billed_start=1.0, idle_timeout=60.0, jobs=ROLES["orchestrator"].jobs
    )
    system = System(
        {"transcription": legs, "diarization": legs, "orchestrator": front},
        lambda _: {"transcription": Work(0.1, 20.0), "diarization": Work(0.1, 20.0)},
        front="orchestrator",
    )
    trace = [Request(number * 0.01, 120.0, True) for number in range(400)]
    return simulate(system, trace, 3600.0).usage["transcription"].peak_workers


@pytest.mark.parametrize("leg_workers", [*range(1, 13), 16, 17, 24, 25])
def test_behind_an_orchestrator_every_worker_of_a_leg_can_start_and_with_one_orchestrator_less_some_cannot(leg_workers):
    orchestrators = most_workers("orchestrator", leg_workers)
    assert peak_of_a_leg(leg_workers, orchestrators) == leg_workers
    if orchestrators > 1:
        assert peak_of_a_leg(leg_workers, orchestrators - 1) < leg_workers


class TestDefaults:
    @pytest.mark.parametrize("architecture", ARCHITECTURES)
    def test_a_deployment_idles_as_long_as_a_plan_of_the_usual_load_says(self, architecture):
        plan = make_plan(question(), enough=1500)
        wanted = next(option.scaling.idle_timeout for option in plan.options if option.architecture == architecture)
        for role, (_, _, idle_timeout) in deployed(architecture).items():
            assert idle_timeout == (60 if role == "orchestrator" else wanted)

    @pytest.mark.parametrize("architecture", ARCHITECTURES)
    def test_a_deployment_fits_into_a_new_account(self, architecture):
        assert sum(most for _, most, _ in deployed(architecture).values()) <= 5

    def test_the_guide_says_them(self):
        guide = (ROOT / "docs/RUNPOD_DEPLOYMENT.md").read_text()
        rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", guide.partition("## Defaults, and why")[2], re.MULTILINE))
        workers = {name: deployed(name) for name in ARCHITECTURES}
        (gpu,) = {dry_run_body(name, 0)["gpu"]["pools"][0] for name in ARCHITECTURES}
        assert rows["GPU pools"].startswith(f"`{gpu}`")
        assert rows["lowest CUDA of a host"] == dry_run_body("single", 0)["gpu"]["minCudaVersion"]
        single, split = workers["single"]["single"], workers["split"]["diarization"]
        assert rows["workers"] == (f"{single[0]} to {single[1]}; split and orchestrator {split[0]} to {split[1]} each")
        assert workers["orchestrator"]["transcription"] == split
        assert rows["idle timeout"] == f"{single[2]} s; orchestrator {workers['orchestrator']['orchestrator'][2]} s"
        body = dry_run_body("orchestrator", -1)
        extra = body["timeout"] // 1000 - dry_run_body("orchestrator", 0)["timeout"] // 1000
        assert rows["time limit"] == (
            f"{dry_run_body('single', 0)['timeout'] // 60_000} min a job; orchestrator {extra // 60} min more"
        )
        assert f"gives up, {body['env']['DIARIST_DEADLINE']} if not set" in guide
        assert rows["queue delay"] == f"{body['scaling']['queueDelay']:g} s"

    def test_the_hubs_listing_says_them(self):
        listing = json.loads((ROOT / ".runpod/hub.json").read_text())["config"]
        body = dry_run_body("single", 0)
        assert listing["runsOn"] == "GPU"
        assert listing["gpuIds"] == ",".join(body["gpu"]["pools"])
        assert listing["gpuCount"] == body["gpu"]["count"]
        assert listing["containerDiskInGb"] == body["disk"]


def dry_run_body(architecture, index):
    return dry_run(Settings(architecture=architecture, image_prefix="you/parakeet", tag="1.2.0"))[index].body


class TestTimeLimits:
    def test_a_client_lets_an_orchestrator_give_up_by_itself(self):
        own = int(dry_run_body("orchestrator", -1)["env"]["DIARIST_DEADLINE"])
        for seconds in (None, 10.0, 3600.0):
            assert Limits.for_orchestrator(seconds).execution > own

    def test_an_orchestrator_deployed_by_hand_waits_as_long_as_one_deployed_by_command(self):
        from diarist.runpod.orchestrator import DEADLINE

        assert int(dry_run_body("orchestrator", -1)["env"]["DIARIST_DEADLINE"]) == DEADLINE


class TestPlaces:
    def test_every_architecture_is_a_place(self):
        assert {place for place in PLACES if place.startswith("runpod:")} == {
            f"runpod:{name}" for name in ARCHITECTURES
        }

    @pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
    def test_a_client_looks_for_ids_where_the_table_says(self, architecture, tmp_path):
        called = (architecture.front,) if architecture.front else architecture.legs
        names = [ROLES[role].id_variable for role in called]
        with pytest.raises(InputError) as caught:
            open_pipeline(f"runpod:{architecture.name}", {"RUNPOD_API_KEY": "k"}, tmp_path / "none.toml")
        assert caught.value.message == f"runpod:{architecture.name} needs {' and '.join(names)}."


class TestFiles:
    @pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
    def test_a_roles_image_is_built_from_its_file_and_runs_its_handler(self, role):
        dockerfile = (ROOT / role.dockerfile).read_text()
        assert f"COPY {role.handler} ./" in dockerfile
        assert f'CMD ["python", "-u", "{role.handler}"]' in dockerfile
        assert f"docker build -f {role.dockerfile} -t you/parakeet{role.image_suffix}:1.0.0 ." in dockerfile
        assert ("ENGINES" in dockerfile) == role.gpu

    def test_there_is_no_image_and_no_handler_without_a_role(self):
        assert {file.name for file in ROOT.glob("Dockerfile*")} == {role.dockerfile for role in ROLES.values()}
        assert {file.name for file in ROOT.glob("runpod_handler*.py")} == {role.handler for role in ROLES.values()}

    def test_every_handler_is_in_the_wheel(self):
        build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
        included = {source: target.rpartition("/")[2] for source, target in build["force-include"].items()}
        assert included == {role.handler: role.handler for role in ROLES.values()}

    @pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
    def test_a_worker_holds_as_many_jobs_as_the_plan_says(self, role):
        from diarist.jobs.services import DiarizationService, SingleService, TranscriptionService
        from diarist.runpod.orchestrator import OrchestratorService

        services = {
            "single": SingleService,
            "transcription": TranscriptionService,
            "diarization": DiarizationService,
            "orchestrator": OrchestratorService,
        }
        assert services[role.name].concurrency == role.jobs

    @pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
    def test_every_profile_knows_how_a_role_starts(self, role):
        for profile in packaged_profiles().values():
            assert profile.start(role.name)


class TestGuides:
    """Guides name no file, image, place or variable that the table does not have."""

    @pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
    def test_what_they_name_exists(self, page):
        text = page.read_text()
        assert set(re.findall(r"\bDockerfile(?:\.[a-z]+)?\b", text)) <= {role.dockerfile for role in ROLES.values()}
        assert set(re.findall(r"\brunpod_handler\w*\.py\b", text)) <= {role.handler for role in ROLES.values()}
        assert set(re.findall(r"you/parakeet(-[a-z]+)?:", text)) <= {role.image_suffix for role in ROLES.values()}
        assert set(re.findall(r"\brunpod:([a-z]+)", text)) <= set(ARCHITECTURES)
        variables = set(re.findall(r"\b[A-Z_]+_ENDPOINT_ID\b", text))
        assert variables <= {role.id_variable for role in ROLES.values()}
        commands = set(re.findall(r"\bdiarist (?:emulate|deploy) ([a-z]+)\b", text))
        assert commands - {"status", "destroy", "again", "server"} <= set(ARCHITECTURES)

    @pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
    def test_the_guide_names_every_image_with_its_handler(self, role):
        guide = (ROOT / "docs/RUNPOD_DEPLOYMENT.md").read_text()
        assert re.search(rf"^\| `{re.escape(role.dockerfile)}` \| [^|]+ \| `{role.handler}` \|$", guide, re.MULTILINE)
        assert f"`PREFIX{role.image_suffix}:TAG`" in guide

    @pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
    def test_a_guide_says_where_an_endpoints_id_goes(self, role):
        assert any(re.search(rf"\b{role.id_variable}\b", page.read_text()) for page in GUIDES)

    @pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
    def test_the_comparison_counts_every_architectures_endpoints(self, architecture):
        text = (ROOT / "docs/DEPLOYMENT_COMPARISON.md").read_text()
        names = re.search(r"^\| \| (single[^\n]*) \|$", text, re.MULTILINE)[1].split(" | ")
        counts = re.search(r"^\| endpoints [^|]*\| ([^\n]*) \|$", text, re.MULTILINE)[1].split(" | ")
        assert names == list(ARCHITECTURES)
        assert dict(zip(names, counts, strict=True))[architecture.name] == str(len(architecture.roles))
