"""The decision: every branch of the tree."""

import pytest

from diarist.model.errors import InputError
from diarist.planning.decision import Candidate, Needs, decide


def candidate(architecture, usd=10.0, p95=10.0, cold_share=0.5, cold_start=15.0, workers=2, always_up=False):
    name = f"{architecture}{' up' if always_up else ''}"
    return Candidate(architecture, name, always_up, usd, p95, cold_share, cold_start, workers)


SINGLE, SPLIT = candidate("single"), candidate("split", usd=12, p95=8)
ORCHESTRATOR = candidate("orchestrator", usd=13, p95=9)
ALL = (SINGLE, SPLIT, ORCHESTRATOR)


def chosen(candidates, **needs):
    return decide(candidates, Needs(**needs)).candidate


def test_without_targets_the_cheapest():
    assert chosen(ALL) is SINGLE
    assert chosen((candidate("single", usd=20), SPLIT, ORCHESTRATOR)) is SPLIT


def test_a_simpler_one_for_hardly_more():
    decision = decide((candidate("single", usd=12.9), SPLIT, ORCHESTRATOR), Needs())
    assert decision.candidate.architecture == "single"
    assert "simpler" in decision.reasons[0]


def test_a_latency_target_takes_both_at_once():
    assert chosen(ALL, latency=9.5) is SPLIT


def test_a_plain_http_client_needs_the_orchestrator_then():
    decision = decide(ALL, Needs(latency=9.5, client="http"))
    assert decision.candidate is ORCHESTRATOR
    assert any("call two endpoints" in reason for reason in decision.reasons)
    assert chosen(ALL, client="http") is SINGLE


def test_a_cold_start_limit_asks_for_a_worker_that_is_always_up():
    up = candidate("single", usd=400, cold_share=0.0, always_up=True)
    assert chosen((*ALL, up), cold_start=5) is up


def test_short_enough_starts_may_be_frequent():
    assert chosen(ALL, cold_start=20) is SINGLE


def test_rare_enough_starts_may_be_long():
    rare = candidate("single", usd=50, cold_share=0.01)
    assert chosen((SINGLE, rare, SPLIT), cold_start=5) is rare


def test_the_account_must_have_the_workers():
    big = candidate("split", usd=1, workers=9)
    decision = decide((SINGLE, big), Needs(worker_quota=5))
    assert decision.candidate is SINGLE
    assert "needs 9 workers and the account has 5" in decision.reasons[-1]
    assert chosen((SINGLE, big)) is big  # the quota is not known


def test_what_the_others_would_cost_is_said():
    up = candidate("single", usd=400, p95=5, always_up=True)
    reasons = decide((SINGLE, up, SPLIT, ORCHESTRATOR), Needs(latency=9.5)).reasons
    assert reasons[1:] == (
        "Single up does it too, for $400.00 a month.",
        "Orchestrator does it too, for $13.00 a month.",
    )


def test_the_only_one_left():
    assert "only one" in decide(ALL, Needs(latency=8.5)).reasons[0]


def test_targets_that_nothing_meets_name_the_fastest():
    with pytest.raises(InputError, match=r"the fastest is split, with 95 % within 8\.0 s") as caught:
        decide(ALL, Needs(latency=1))
    assert "\n" not in caught.value.message


def test_of_each_architecture_only_its_best_settings_are_talked_about():
    slow, faster = candidate("single", p95=30), candidate("single", p95=20, usd=50, always_up=True)
    reasons = decide((slow, faster, SPLIT), Needs(latency=9)).reasons
    assert reasons[1:] == ("Not single up: 95 % of the requests take up to 20.0 s, more than 9 s.",)


@pytest.mark.parametrize(
    "bad", [{"latency": 0}, {"latency": -1}, {"cold_start": float("nan")}, {"worker_quota": 0}, {"client": "fax"}]
)
def test_bad_targets_are_refused(bad):
    with pytest.raises(InputError):
        Needs(**bad)
