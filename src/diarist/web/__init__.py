"""What a browser needs to show a transcript: styles and scripts, as files that need no build step.

The ``html`` format writes them into its page, and the server gives them to a browser; neither owns them.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def asset(name: str) -> str:
    """The text of one of the files here, e.g. ``"page.css"``."""
    return files("diarist.web").joinpath(name).read_text(encoding="utf-8")
