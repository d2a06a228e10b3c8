"""Draw docs/transcript.svg: the sample call as `diarist transcribe` shows it on a terminal.

python benchmarks/picture.py docs/transcript.svg
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from rich.console import Console

from diarist import transcribe
from diarist.cli.render import show
from diarist.weights.fetch import ensure

sample = ensure("sample-telephone") / "sample.wav"
console = Console(record=True, width=92, file=io.StringIO(), highlight=False, force_terminal=True)
show(transcribe(sample), console)
Path(sys.argv[1]).write_text(console.export_svg(title="diarist transcribe call.wav"))
