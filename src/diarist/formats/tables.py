"""Tables: CSV and TSV, one row per segment."""

from __future__ import annotations

import csv as csv_library
import io

from diarist.model.transcript import Transcript

HEADER = ("start", "end", "speaker", "text")


def csv(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write comma-separated values (RFC 4180) that no spreadsheet takes for a formula; times in seconds."""
    return _table(transcript, "excel")


def tsv(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write tab-separated values, as `csv` does."""
    return _table(transcript, "excel-tab")


def _table(transcript: Transcript, dialect: str) -> str:
    target = io.StringIO(newline="")
    writer = csv_library.writer(target, dialect)
    writer.writerow(HEADER)
    for segment in transcript.segments:
        times = (f"{segment.start:.3f}", f"{segment.end:.3f}")
        writer.writerow([*times, _inert(segment.speaker or ""), _inert(segment.text)])
    return target.getvalue()


def _inert(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run (OWASP, "CSV Injection"), and keep rows on one line."""
    text = " ".join(text.split())
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
