"""Measure the range of each activation of WeSpeaker's trunk, for its 8-bit form.

    python benchmarks/calibrate.py --bundle DIR > src/diarist/diarization/resnet34_ranges.json

Reads the sample recordings of the catalog (a telephone call, two voices, one reader), as they are and as a distant
microphone would hear them. A range leaves out one value in 100,000 at either end of each stretch of ten seconds:
sharing 8 bits with rare peaks costs more than cutting them off.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime

from diarist.audio.decode import decode
from diarist.diarization import graphs
from diarist.diarization.features import fbank
from diarist.weights.checkpoint import read_checkpoint, state_dict
from diarist.weights.fetch import ensure

SAMPLES = ("sample-telephone", "sample-two-voices", "sample-reader")
CUT = 1e-5


def distant(samples: np.ndarray) -> np.ndarray:
    """The same, quieter, with half a second of synthetic reverberation and noise 20 dB below the speech."""
    rng = np.random.default_rng(0)
    decay = rng.standard_normal(8_000) * np.exp(-np.arange(8_000) / 1_200)
    decay[0] = 4
    size = len(samples) + len(decay) - 1
    heard = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(decay, size), size)[: len(samples)]
    heard *= 0.05 / np.abs(heard).max()
    return np.float32(heard + rng.standard_normal(len(heard)) * heard.std() / 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="folder laid out like the repository of community-1")
    bundle = parser.parse_args().bundle
    state = state_dict(read_checkpoint(bundle / "embedding" / "pytorch_model.bin"))
    session = onnxruntime.InferenceSession(graphs.resnet34(state, expose=True))
    names = [output.name for output in session.get_outputs() if output.name != "frames"]
    lows: dict[str, list[float]] = {name: [] for name in names}
    highs: dict[str, list[float]] = {name: [] for name in names}
    for sample in SAMPLES:
        clean = decode(next(ensure(sample).glob("*.wav"))).samples
        for samples in (clean, distant(clean)):
            features = fbank(samples)
            for start in range(0, len(features) - 900, 1000):
                part = features[start : start + 1000]
                for name, values in zip(
                    names, session.run(names, {"fbank": (part - part.mean(axis=0))[None]}), strict=True
                ):
                    low, high = np.quantile(values, [CUT, 1 - CUT])
                    lows[name].append(float(low))
                    highs[name].append(float(high))
    ranges = {name: [round(np.mean(lows[name]), 4), round(np.mean(highs[name]), 4)] for name in names}
    print("{\n" + ",\n".join(f"  {json.dumps(name)}: {json.dumps(ranges[name])}" for name in names) + "\n}")


if __name__ == "__main__":
    main()
