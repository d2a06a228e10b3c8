"""The plan as a whole."""

import json

import pytest

from diarist.model.errors import InputError
from diarist.planning.decision import Needs
from diarist.planning.plan import make_estimate, make_plan
from diarist.planning.prices import packaged_prices
from diarist.planning.profiles import load_profile
from diarist.planning.question import Question
from diarist.planning.report import as_data, deploy_command
from diarist.planning.workload import Length, Workload


def question(per_day=200, **others):
    load = {name: others.pop(name) for name in ("lengths", "plain_share", "shape") if name in others}
    wanted = {"profile": load_profile("rtx-4090"), "prices": packaged_prices(), "gpu": "RTX 4090", **others}
    return Question(workload=Workload(per_day, **load), **wanted)


def planned(asked):
    """A plan of fewer requests than a real one, to be quick."""
    return make_plan(asked, enough=1500)


def by_architecture(plan):
    return {option.architecture: option for option in plan.options}


@pytest.mark.parametrize("per_day", [10, 1000, 10_000, 100_000])
def test_it_simulates_no_more_than_it_needs(per_day):
    """How long that takes is in benchmarks/planning.py."""
    requests = len(next(iter(make_plan(question(per_day)).outcomes.values())).latencies)
    assert requests == pytest.approx(min(10_000, per_day * 30), rel=0.25)


def test_it_is_deterministic():
    assert as_data(planned(question()), question()) == as_data(planned(question()), question())
    assert planned(question(seed=1)).chosen != planned(question(seed=2)).chosen


def test_all_three_side_by_side_with_one_recommended():
    data = as_data(planned(question()), question())
    assert [option["architecture"] for option in data["options"]] == ["single", "split", "orchestrator"]
    assert [option["recommended"] for option in data["options"]] == [True, False, False]
    assert data["recommended"]["architecture"] == "single"
    assert data["recommended"]["reasons"]
    json.dumps(data, allow_nan=False)


def test_costs_are_one_bill_in_three_units():
    for option in planned(question(1000, lengths=(Length(5),))).options:
        assert option.usd_per_request * 12 == pytest.approx(option.usd_per_audio_hour)
        assert option.usd_per_month == pytest.approx(option.usd_per_request * 30_000, rel=0.03)


def test_every_figure_that_is_used_is_among_the_assumptions():
    asked = question()
    text = "\n".join(planned(asked).assumptions)
    for figure in (asked.profile.transcription.per_audio_second, asked.profile.diarization.per_audio_second):
        assert f"{figure.value:.4g}" in text
        assert figure.source in text
    for words in ("$0.000310/s", "estimate", "Poisson", "FlashBoot", "upload", "seed 0", "30 days"):
        assert words in text


@pytest.mark.parametrize("per_day", [50, 2000])
def test_the_closed_form_is_near_the_simulation(per_day):
    simulated, estimated = (
        by_architecture(planned(question(per_day))),
        by_architecture(make_estimate(question(per_day))),
    )
    for architecture, option in simulated.items():
        quick = estimated[architecture]
        if quick.scaling == option.scaling:
            assert quick.usd_per_month == pytest.approx(option.usd_per_month, rel=0.10)


def test_the_closed_form_claims_no_percentiles():
    plan = make_estimate(question())
    assert {(option.p95, option.p99) for option in plan.options} == {(None, None)}
    assert plan.decision is None


def test_what_has_to_be_fast_keeps_workers_longer_and_costs_more():
    relaxed = planned(question(2000))
    asked = question(2000, needs=Needs(cold_start=5))
    strict = planned(asked)
    assert strict.chosen.cold_share <= 0.01
    assert strict.chosen.usd_per_month > relaxed.chosen.usd_per_month
    assert strict.chosen.scaling.idle_timeout > relaxed.chosen.scaling.idle_timeout or strict.chosen.scaling.min_workers


def test_a_latency_that_only_parallel_legs_reach():
    long = {"lengths": (Length(20),), "profile": load_profile("rtx-3090"), "gpu": "RTX 3090"}
    both = planned(question(100, **long))
    slower, faster = (by_architecture(both)[name].p95 for name in ("single", "split"))
    plan = planned(question(100, needs=Needs(latency=(slower + faster) / 2, client="http"), **long))
    assert plan.chosen.architecture == "orchestrator"


def test_settings_that_are_given_are_kept():
    asked = question(500, idle_timeout=77.0, min_workers=1, max_workers=4, queue_delay=2.0)
    for option in planned(asked).options:
        scaling = option.scaling
        assert (scaling.idle_timeout, scaling.min_workers, scaling.max_workers) == (77.0, 1, 4)
    assert "--min-workers 1 --max-workers 4 --idle-timeout 77 --queue-delay 2" in deploy_command(planned(asked), asked)


def test_a_given_price_replaces_the_table():
    assert planned(question(usd_per_second=0.0031)).chosen.usd_per_month == pytest.approx(
        10 * planned(question(usd_per_second=0.00031)).chosen.usd_per_month, rel=0.03
    )


def test_more_workers_than_a_new_account_has_are_announced():
    lines = planned(question(100_000)).assumptions
    assert any("in the busiest hour; a new account has 5" in line for line in lines)
    with pytest.raises(InputError, match="the account has 2"):
        planned(question(100_000, needs=Needs(worker_quota=2)))


def test_without_speakers_the_diarization_endpoint_costs_nothing():
    options = by_architecture(planned(question(plain_share=1.0)))
    assert options["split"].worker_seconds["diarization"] == 0
    estimate = by_architecture(make_estimate(question(plain_share=1.0)))
    assert estimate["split"].worker_seconds["diarization"] == 0


def test_flashboot_counts_only_where_it_is_given():
    assert planned(question(restore_share=1.0)).chosen.usd_per_month < planned(question()).chosen.usd_per_month


@pytest.mark.parametrize(
    "bad",
    [
        {"idle_timeout": 0.5},
        {"min_workers": -1},
        {"max_workers": 0},
        {"min_workers": 3, "max_workers": 2},
        {"queue_delay": 0.1},
        {"restore_share": 2},
        {"usd_per_second": -1},
    ],
)
def test_bad_settings_are_one_line(bad):
    with pytest.raises(InputError):
        question(**bad)


def test_hardly_any_requests():
    with pytest.raises(InputError, match="none in 30 days"):
        planned(question(0.0001))


class TestChart:
    @pytest.mark.parametrize(("name", "magic"), [("plan.png", b"\x89PNG"), ("plan.svg", b"<?xml")])
    def test_it_draws(self, tmp_path, name, magic):
        from diarist.planning.chart import draw

        file = tmp_path / name
        draw(planned(question()), file)
        assert file.read_bytes().startswith(magic)

    def test_it_refuses_other_files_and_closed_forms(self, tmp_path):
        from diarist.planning.chart import draw

        with pytest.raises(InputError, match=r"\.png or \.svg"):
            draw(planned(question()), tmp_path / "plan.pdf")
        with pytest.raises(InputError, match="simulated"):
            draw(make_estimate(question()), tmp_path / "plan.png")
        with pytest.raises(InputError, match="Cannot write"):
            draw(planned(question()), tmp_path / "no" / "plan.png")
