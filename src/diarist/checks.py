"""What ``diarist doctor`` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        status: ``note`` is worth knowing; ``warn`` works, but not as well as it could; ``fail`` stops the main job.
        detail: what was found.
        fix: the command or step that mends it; empty where nothing needs mending.
    """

    name: str
    status: Status
    detail: str
    fix: str = ""
