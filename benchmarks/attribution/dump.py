"""Run the engines once per recording and keep what they found, so that rules are compared on the same input.

python benchmarks/attribution/dump.py RECORDINGS OUT [--model NAME] [--diarizer NAME]

RECORDINGS is a folder with one folder per recording, each with an audio file. OUT gets, per recording,
NAME.transcription.MODEL.json and NAME.diarization.DIARIZER.json; those already there are kept.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from diarist.audio.decode import decode
from diarist.engines import load
from diarist.model import codec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--diarizer", default="auto")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pipeline = load(options.model, options.diarizer, note=print)
    words, speakers = pipeline.transcriber, pipeline.diarizer
    assert speakers is not None
    for audio_file in sorted(options.recordings.glob("*/audio.*")):
        name = audio_file.parent.name
        targets = {
            options.out / f"{name}.transcription.{words.model.name}.json": words.transcribe,
            options.out / f"{name}.diarization.{speakers.model.name}.json": speakers.diarize,
        }
        missing = {path: work for path, work in targets.items() if not path.exists()}
        if missing:
            audio = decode(audio_file)
            for path, work in missing.items():
                path.write_text(json.dumps(codec.dump(work(audio))), encoding="utf-8")
                print(path.name)


if __name__ == "__main__":
    main()
