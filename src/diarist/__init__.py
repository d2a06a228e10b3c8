"""diarist: who said what, and when.

    from diarist import transcribe
    transcript = transcribe("meeting.mp3")

Importing this package loads no engine: heavy libraries are imported where an engine is built.
"""

from __future__ import annotations

__version__ = "0.1.0.dev0"
