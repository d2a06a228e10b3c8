"""What decoding and packing speech costs: CPU seconds, peak memory, bytes on the wire.

python benchmarks/audio.py RECORDING… [--json] repeats the recordings to the length asked for, writes that in several
formats to a temporary folder, and measures each step in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np
from machine import describe

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.audio.transport import encode_flac, encode_opus, pack

REQUEST_BYTES = 7_400_000  # what 10 MB of JSON hold as base64
FORMATS = {  # file name: codec, muxer, rate, layout
    "16k-mono.flac": ("flac", "flac", 16_000, "mono"),
    "16k-mono.wav": ("pcm_s16le", "wav", 16_000, "mono"),
    "48k-stereo-24bit.wav": ("pcm_s24le", "wav", 48_000, "stereo"),
    "44k-stereo.mp3": ("libmp3lame", "mp3", 44_100, "stereo"),
    "44k-stereo.m4a": ("aac", "ipod", 44_100, "stereo"),
}
STEPS = {
    "flac": encode_flac,
    "opus 16 kbit/s": lambda audio: encode_opus(audio, 16_000),
    "opus 24 kbit/s": lambda audio: encode_opus(audio, 24_000),
    "pack into 7.4 MB": lambda audio: pack(audio, REQUEST_BYTES).data,
}


def peak_mib() -> float:
    """Peak resident memory of this process. Linux's ``ru_maxrss`` would count what the parent had before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def write_all(recordings: list[Path], minutes: int, folder: Path) -> None:
    speech = np.concatenate([decode(path).samples for path in recordings])
    samples = (np.resize(speech, minutes * 60 * SAMPLE_RATE) * 32768).astype(np.int16)
    for name, (codec, muxer, rate, layout) in FORMATS.items():
        with av.open(str(folder / name), "w", format=muxer) as output:
            stream = output.add_stream(codec, rate=rate, layout=layout)
            resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
            for start in range(0, len(samples), SAMPLE_RATE):
                block = samples[start : start + SAMPLE_RATE].reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
                frame.sample_rate, frame.pts = SAMPLE_RATE, start
                for each in resampler.resample(frame):
                    output.mux(stream.encode(each))
            for each in resampler.resample(None):
                output.mux(stream.encode(each))
            output.mux(stream.encode(None))


def measure(path: Path, step: str) -> dict[str, float | str]:
    """Run one step; meant for a fresh process, since peak memory never falls."""
    base, before = peak_mib(), time.process_time()
    audio: Audio = decode(path)
    if step != "decode":
        base, before = peak_mib(), time.process_time()
    num_bytes = len(STEPS[step](audio)) if step != "decode" else path.stat().st_size
    return {
        "step": step,
        "input": path.name,
        "audio_seconds": audio.duration,
        "file_mb": round(num_bytes / 1e6, 2),
        "cpu_seconds": round(time.process_time() - before, 2),
        "samples_mib": round(audio.samples.nbytes / 2**20, 1),
        "peak_growth_mib": round(peak_mib() - base, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--minutes", type=int, default=60, help="length of what is measured")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        print(json.dumps(measure(arguments.recordings[0], arguments.step)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_all(arguments.recordings, arguments.minutes, Path(folder))
        jobs = [("decode", name) for name in FORMATS] + [(step, "16k-mono.flac") for step in STEPS]
        rows = [
            json.loads(
                subprocess.run(
                    [sys.executable, __file__, str(Path(folder, name)), "--step", step], capture_output=True, check=True
                ).stdout
            )
            for step, name in jobs
        ]
    if arguments.json:
        print(json.dumps({**describe(), "rows": rows}, indent=1))
        return
    print("step               input                   file MB   CPU s   samples MiB   peak growth MiB")
    for row in rows:
        print(
            f"{row['step']:18} {row['input']:22} {row['file_mb']:8.2f} {row['cpu_seconds']:7.2f} "
            f"{row['samples_mib']:13.1f} {row['peak_growth_mib']:17.1f}"
        )


if __name__ == "__main__":
    main()
