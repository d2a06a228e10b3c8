"""How many CPUs this process may use: the one answer for engines, ``doctor`` and profiles."""

from __future__ import annotations

import os


def cpu_count() -> int:
    """CPUs this process may use; containers and batch systems restrict them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
