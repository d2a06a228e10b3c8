"""Many recordings in one job: ``{"recordings": [{"audio": …}, …], …}``, each a job of its own inside the worker.

What stands beside ``recordings`` holds for each of them that does not say otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from diarist.jobs.wire_errors import FieldError, write_error
from diarist.model.errors import EngineError

MAX_RECORDINGS: Final = 100
_OF_THE_WHOLE: Final = frozenset({"recordings", "result_put_url", "request_id"})


@dataclass(frozen=True, slots=True)
class ManyJob:
    """A job of many recordings.

    Attributes:
        inputs: of the jobs that it is made of.
        result_put_url: presigned https PUT URL that takes a result too large to return.
    """

    inputs: tuple[dict[str, Any], ...]
    result_put_url: str | None


def is_many(value: object) -> bool:
    """Whether a job's input is that of many recordings."""
    return isinstance(value, dict) and "recordings" in value


def read_many(value: dict[str, Any]) -> ManyJob:
    """Take a job apart. What each part says is checked when its turn comes: one that is wrong fails alone.

    Raises:
        FieldError: it is no list of recordings.
    """
    recordings = value["recordings"]
    if not isinstance(recordings, list) or not 1 <= len(recordings) <= MAX_RECORDINGS:
        raise _wrong("recordings", f"must be a list of 1 to {MAX_RECORDINGS} recordings")
    if not all(isinstance(each, dict) and "recordings" not in each for each in recordings):
        raise _wrong("recordings", "must hold an object for each recording, as a job of its own would be")
    if any(each.get("stream") for each in (value, *recordings)):
        raise _wrong("stream", "is for jobs of one recording")
    url = value.get("result_put_url")
    if not (url is None or isinstance(url, str)):
        raise _wrong("result_put_url", "must be a URL")
    common = {name: part for name, part in value.items() if name not in _OF_THE_WHOLE}
    return ManyJob(tuple({**common, **each} for each in recordings), url)


def join_many(answers: Iterable[Any], most: int | None) -> dict[str, Any]:
    """Write the output: for each recording in order its ``output``, or the ``error`` that it would have failed with.

    Args:
        answers: of the parts, as a worker gives them.
        most: bytes that all results together may take; those that do not fit become errors. None takes all.
    """
    results: list[dict[str, Any]] = []
    total = 0
    for answer in answers:
        failed = isinstance(answer, dict) and "error" in answer
        result = {"error": json.loads(answer["error"])} if failed else {"output": answer}
        size = len(json.dumps(result, ensure_ascii=False).encode()) + 2
        if most is not None and not failed and total + size > most:
            result = {"error": json.loads(write_error(_no_room(size)))}
        else:
            total += size
        results.append(result)
    return {"results": results}


def _no_room(size: int) -> EngineError:
    return EngineError(
        "result_too_large",
        f"The result is {size / 1e6:.1f} MB, and the results before it leave no room for it.",
        "Send fewer recordings in a job, or result_put_url beside them or with each.",
    )


def _wrong(field: str, problem: str) -> FieldError:
    hint = 'Send {"recordings": [{"audio": "https://…"}, {"audio": "https://…"}]}.'
    return FieldError("bad_field", f"{field!r} is wrong: it {problem}.", hint, field=field)
