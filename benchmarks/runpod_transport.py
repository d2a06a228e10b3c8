"""What sending speech as Opus costs in accuracy, against FLAC, which costs none.

    python benchmarks/runpod_transport.py --recordings FOLDER [--bitrates 16000 24000 32000] [--json]

FOLDER holds one folder a recording, with ``audio.*`` and references (see benchmarks/results.py). The same engines
transcribe every recording as it is and after a trip through Opus; rates are pooled over all recordings.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from machine import describe

from diarist import decode, load, render
from diarist.audio.audio import Audio
from diarist.audio.transport import encode_opus
from diarist.evaluation.suite import evaluate
from diarist.evaluation.text import normaliser

SHOWN = ("wer", "cpwer", "der")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--bitrates", type=int, nargs="+", default=[16_000, 24_000, 32_000])
    parser.add_argument("--model", default="whisper-tiny.en")
    parser.add_argument("--diarizer", default="embedded")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    pipeline = load(args.model, args.diarizer, language="en")
    folders = sorted(path for path in args.recordings.iterdir() if path.is_dir())
    rows = {}
    for bitrate in (0, *args.bitrates):
        sent, seconds = 0, 0.0
        with tempfile.TemporaryDirectory() as out:
            for folder in folders:
                (recording,) = folder.glob("audio.*")
                audio = decode(recording)
                if bitrate:
                    packed = encode_opus(audio, bitrate)
                    sent += len(packed)
                    audio = Audio(decode(packed).samples)
                seconds += audio.duration
                text = str(render(pipeline.transcribe(audio), "json"))
                (Path(out) / f"{folder.name}.json").write_text(text)
            pooled = evaluate(args.recordings, Path(out), normaliser("whisper", "en")).pooled
        rates = {name: round(100 * pooled[name].rate, 1) for name in SHOWN if name in pooled}
        name = f"opus {bitrate // 1000} kbit/s" if bitrate else "flac"
        rows[name] = {**rates, "megabytes_per_hour": round(sent / seconds * 0.0036, 1) if bitrate else None}
    if args.json:
        print(json.dumps({**describe(), "recordings": [folder.name for folder in folders], "rows": rows}, indent=2))
        return
    print(describe()["command"])
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(str(value) for value in row.values()) + " |")


if __name__ == "__main__":
    main()
