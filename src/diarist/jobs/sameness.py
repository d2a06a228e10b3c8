"""When two jobs are the same work, and how long its result may stand for both."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from diarist.audio.recording import Recording
from diarist.pipelines.legs import NO_SPEAKERS


def same_work(job_id: str, value: object) -> str:
    """What two deliveries of the same work have in common: the platform's id, or the caller's and all that it asks.

    Args:
        job_id: the platform's.
        value: the job's input.
    """
    if isinstance(value, dict) and isinstance(value.get("request_id"), str):
        whole = json.dumps(value, sort_keys=True, default=repr)
        return f"request {hashlib.sha256(whole.encode(errors='surrogatepass')).hexdigest()}"
    return f"job {job_id}"


def by_reference(value: object) -> bool:
    """Whether a job's input only names a recording, or one of many: what is there may change."""
    parts = value.get("recordings") if isinstance(value, dict) else None
    audios = [
        part.get("audio") for part in (value, *(parts if isinstance(parts, list) else ())) if isinstance(part, dict)
    ]
    return any(isinstance(audio, str) and Recording("", None, wire=audio).by_reference for audio in audios)


def may_go_better(answer: Any) -> bool:
    """Whether a second try may give more: it failed, or one leg or one of many recordings did on the way.

    Other warnings, such as those of a damaged recording, would come again.
    """
    if not isinstance(answer, dict):
        return False
    parts = answer.get("results")
    outputs = [part.get("output") for part in parts if "error" not in part] if isinstance(parts, list) else []
    failed = isinstance(parts, list) and len(outputs) < len(parts)
    warnings = answer.get("warnings") or ()
    lost = any(isinstance(line, str) and line.startswith(NO_SPEAKERS) for line in warnings)
    return failed or "error" in answer or lost or any(map(may_go_better, outputs))
