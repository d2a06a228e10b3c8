"""Errors keep all they say wherever Python carries them: through pickle, copies and processes."""

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import pytest

from diarist.cluster.store import StoreError as ArchiveStoreError
from diarist.formats import render
from diarist.formats.openai import NotMeasuredError
from diarist.jobs.job import Conflict, JobNotFoundError, LeaseLostError, StoreError
from diarist.jobs.outbound import NotSentError
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import Cancelled, DiaristError, EndpointError, EngineError, InputError, WeightsError
from diarist.pipelines.legs import DifferentRecordingsError
from diarist.runpod.calls import NoAnswerError
from diarist.server.errors import Busy, DiskFullError, Unforeseen

ERRORS = [
    DiaristError("odd", "Something is odd.", "Look."),
    InputError("bad_thing", "The thing is bad.", "Take another.", http_status=415),
    WeightsError("no_weights", "No weights.", "Pull them."),
    EngineError("failed", "The model failed."),
    EndpointError("timeout", "It took too long.", "Ask again.", http_status=504),
    Cancelled(),
    DifferentRecordingsError("different", "The legs heard two recordings.", "Ask again."),
    NoAnswerError("endpoint_silent", "It gave no answer.", "Check the network."),
    FieldError("bad_field", "`language` is not one.", "Write en.", field="language"),
    NotMeasuredError("not_measured", "Nobody measured it.", "Leave it out."),
    ArchiveStoreError("cannot_write", "The disk is full.", "Free some space."),
    StoreError("store_busy", "The store is busy.", "Try again.", http_status=503),
    JobNotFoundError("no-such-job"),
    Conflict(3),
    LeaseLostError(),
    NotSentError("hooks.example"),
    Busy("queue_full", "There is no room.", "Try again.", retry_after=5.0),
    DiskFullError("disk_full", "The disk is full.", "Free some space."),
    Unforeseen(),
]


def said(error):
    return type(error), str(error), vars(error), error.http_status, error.exit_code


def test_every_error_of_the_tree_is_tried_here():
    def below(cls):
        return {cls}.union(*map(below, cls.__subclasses__()))

    ours = {cls for cls in below(DiaristError) if cls.__module__.startswith("diarist.") and cls.__name__[0] != "_"}
    assert {type(error) for error in ERRORS} == ours


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "carry",
    [
        copy.copy,
        copy.deepcopy,
        *(lambda error, number=number: pickle.loads(pickle.dumps(error, number)) for number in range(6)),
    ],
    ids=["copy", "deepcopy", *(f"pickle {number}" for number in range(6))],
)
def test_an_error_says_the_same_after_the_journey(error, carry):
    arrived = carry(error)
    assert arrived is not error
    assert said(arrived) == said(error)


def test_an_error_s_note_travels_with_it():
    error = InputError("bad_thing", "The thing is bad.")
    error.add_note("while reading call.mp3")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["while reading call.mp3"]


def test_an_error_comes_back_from_another_process():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool, pytest.raises(InputError) as caught:
        pool.submit(render, None, "nonsense").result()
    assert caught.value.code == "bad_format"
    assert "Choose from" in caught.value.hint
