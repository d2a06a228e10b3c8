"""What comes next, how much is on its way, and who is blamed: the loop, with a pool that is made of chance."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.cluster import Lost, Task, run
from diarist.cluster.run import results
from diarist.model.errors import EngineError, InputError


class Chance:
    """A pool whose workers finish, fail and vanish as chance has it; it keeps the loop to its promises.

    A task's payload says what it does: ``"ok"``, ``"kills"`` its worker, ``"fails"``, or is ``"refused"``.
    """

    def __init__(self, slots, seed, vanishing=0.0):
        self.slots, self.chance, self.vanishing = slots, random.Random(seed), vanishing
        self.held, self.gone, self.next = {}, [], 0
        self.submitted, self.most = [], 0
        self.most_bytes, self.alone = 0, []

    def submit(self, payload, *, alone=False, limit=None):
        self.next += 1
        self.held[self.next] = payload
        self.submitted.append(payload)
        self.alone.append(alone)
        self.most = max(self.most, len(self.held))
        self.most_bytes = max(self.most_bytes, sum(size for _, _, size in self.held.values()))
        return self.next

    def wait(self, handles, seconds):
        assert set(handles) == set(self.held)
        computed = list(self.held)[: self.slots]
        if self.chance.random() < self.vanishing:  # a machine goes, with all that it held
            self.gone += [Lost(handle, False, "the machine went") for handle in computed]
            for handle in computed:
                del self.held[handle]
            return []
        handle = self.chance.choice(computed)
        _, what, _ = payload = self.held.pop(handle)
        if what == "kills":
            self.gone.append(Lost(handle, True, "killed"))
            for other in [each for each in self.held if self.chance.random() < 0.2]:  # that waited there
                del self.held[other]
                self.gone.append(Lost(other, False, "killed"))
            return []
        errors = {"fails": EngineError("engine_failed", "No."), "refused": InputError("bad", "No.")}
        return [(handle, errors.get(what, payload))]

    def lost(self):
        found, self.gone = self.gone, []
        return found


WORK = st.lists(
    st.tuples(st.sampled_from(["ok", "ok", "ok", "kills", "fails", "refused"]), st.integers(0, 9), st.integers(0, 50))
)


def tasks_of(work):
    return [
        Task(f"{number}", lambda n=number, w=what, s=size: (n, w, s), cost=cost, size=size)
        for number, (what, cost, size) in enumerate(work)
    ]


@given(WORK, st.integers(1, 4), st.integers(0, 999), st.sampled_from([0.0, 0.3]))
@settings(max_examples=150, deadline=None)
def test_each_task_is_told_once_and_only_the_guilty_are_given_up(work, slots, seed, vanishing):
    pool = Chance(slots, seed, vanishing)
    found = list(run(tasks_of(work), pool, most_bytes=60))
    assert sorted(int(each.task.key) for each in found) == list(range(len(work)))
    for each in found:
        number = int(each.task.key)
        what = work[number][0]
        assert (each.error is None) == (what == "ok")
        assert each.deaths == (2 if what == "kills" else 0)
        if not vanishing and what in ("fails", "refused"):
            assert each.starts >= (2 if what == "fails" else 1)
    assert pool.most <= 2 * slots
    assert pool.most_bytes <= 60
    assert not pool.held


@given(st.lists(st.integers(0, 99), max_size=30), st.integers(0, 99))
def test_the_costly_ones_go_first_and_equal_ones_in_their_order(costs, seed):
    pool = Chance(2, seed)
    list(run([Task(f"{n}", lambda n=n: (n, "ok", 0), cost=cost) for n, cost in enumerate(costs)], pool))
    assert [n for n, *_ in pool.submitted] == sorted(range(len(costs)), key=lambda n: (-costs[n], n))


def test_a_task_larger_than_what_may_be_on_its_way_goes_by_itself():
    pool = Chance(2, 0)
    assert len(list(run(tasks_of([("ok", 1, 5), ("ok", 2, 900), ("ok", 3, 5)]), pool, most_bytes=10))) == 3
    assert pool.most_bytes == 900


def test_who_takes_no_outcomes_holds_back_the_work():
    pool = Chance(1, 0)
    outcomes = run(tasks_of([("ok", 0, 0)] * 100), pool)
    next(outcomes)
    assert len(pool.submitted) <= 3


def test_suspects_go_alone():
    pool = Chance(2, 0)
    list(run(tasks_of([("ok", 0, 0), ("kills", 9, 0), ("fails", 8, 0), ("ok", 0, 0)]), pool))
    seen = set()
    for (number, what, _), alone in zip(pool.submitted, pool.alone, strict=True):
        assert alone == (number in seen and what != "ok")
        seen.add(number)


def test_what_cannot_be_made_for_a_worker_is_an_outcome():
    def unreadable():
        raise InputError("not_found", "There is no such file.")

    (found,) = run([Task("a", unreadable)], Chance(1, 0))
    assert (found.error.code, found.starts) == ("not_found", 0)


def test_who_needs_all_results_gets_the_first_error():
    with pytest.raises(InputError, match="ended 2 workers"):
        list(results(run(tasks_of([("kills", 0, 0)]), Chance(1, 0))))
    assert [what for _, what, _ in results(run(tasks_of([("ok", 0, 0)] * 3), Chance(1, 0)))] == ["ok"] * 3
