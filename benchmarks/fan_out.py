"""What the caller does by itself when one recording is spread over many workers, and what a cut costs: CPU seconds.

    python benchmarks/fan_out.py [--diarizer embedded] [--chunks 128] MEETING.flac …

The recordings are joined into one. Decoding, finding the voice, and FLAC take no worker; the speakers are told apart
once, from the evidence of all units. `diarist plan --fan-out` computes with these figures (`diarist.planning.caller`).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
from machine import describe

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.audio.transport import encode_flac
from diarist.cluster.unit import partwise, windowed
from diarist.diarization.evidence import Evidence
from diarist.engines import load
from diarist.model.options import Options

T = TypeVar("T")


def measured(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of all threads of this process, and the result."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+")
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--diarizer", default="embedded")
    parser.add_argument("--chunks", type=int, default=128)
    given = parser.parse_args()
    audio = Audio(np.concatenate([decode(file).samples for file in given.recordings]))
    pipeline = load(given.model, given.diarizer, language="en")
    transcriber, diarizer = partwise(pipeline.transcriber), windowed(pipeline.diarizer)
    hours = audio.duration / 3600
    options = Options(language="en")  # else the language is told from the first windows: once, however long it is

    # What is loaded at the first use is loaded before.
    begin = Audio(audio.samples[: 20 * SAMPLE_RATE])
    transcriber.outline(begin, options)
    diarizer.diarize(begin, options)

    encoding, flac = measured(lambda: encode_flac(audio))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "whole.flac"
        file.write_bytes(flac)
        decoding, _ = measured(lambda: decode(file))
    voice, _ = measured(lambda: transcriber.outline(audio, options))

    def evidence(chunks: int | None) -> list[Evidence]:
        portions = diarizer.windows(len(audio.samples), chunks)
        return [diarizer.segment_and_embed(audio.samples[each.start : each.end], each) for each in portions]

    whole, _ = measured(lambda: evidence(None))
    cut, parts = measured(lambda: evidence(given.chunks))
    sent = [part.to_bytes() for part in parts]
    speakers, _ = measured(
        lambda: diarizer.cluster(Evidence.joined(Evidence.from_bytes(each) for each in sent), options)
    )
    report = {
        "minutes": round(audio.duration / 60, 1),
        "cpu_s_per_hour": {
            "decoding FLAC": round(decoding / hours, 2),
            "finding the voice": round(voice / hours, 2),
            "encoding FLAC": round(encoding / hours, 2),
            "telling the speakers apart": round(speakers / hours, 2),
            "networks of the diarization": round(whole / hours, 1),
        },
        "flac_mb_per_hour": round(len(flac) / hours / 1e6),
        "cuts": {
            "chunks": given.chunks,
            "units": len(parts),
            "more CPU": round(cut / whole - 1, 3),
            "seconds of audio again, for each cut": round((cut / whole - 1) * audio.duration / (len(parts) - 1), 1),
        },
    }
    print(json.dumps(describe() | {"load average": os.getloadavg()} | report, indent=2))


if __name__ == "__main__":
    main()
