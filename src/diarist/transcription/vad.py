"""Where there is voice: Silero's detector, streamed, so that memory does not grow with the recording.

The network is the ``silero_vad_v6.onnx`` that the faster-whisper wheel carries (Silero Team, MIT). faster-whisper's own
runner was rejected: it copies the whole recording, and it gives regions only, while cutting long audio at its quietest
point needs the probabilities.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE
from diarist.model.timeline import Span, union

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME_SAMPLES: Final = 512
FRAME_SECONDS: Final = FRAME_SAMPLES / SAMPLE_RATE  # 32 ms
_CONTEXT_SAMPLES: Final = 64
_BLOCK_FRAMES: Final = 4096  # 131 s of audio and 9 MB at a time

# Silero's own defaults: speech begins above 0.5 and ends below 0.35.
BEGIN: Final = 0.5
END: Final = 0.35


def voice_probability(
    samples: NDArray[np.float32], report: Callable[[float], None] = lambda _: None
) -> NDArray[np.float32]:
    """Probability of voice in each frame of 32 ms; one CPU thread, about 2 ms of CPU per second of audio.

    Args:
        samples: ``(num_samples,)`` float32 at 16 kHz.
        report: told how much is done (0 to 1), every 131 s of audio; may raise to stop.

    Returns:
        ``(ceil(num_samples / 512),)`` float32.
    """
    session = _session()
    num_frames = -(-len(samples) // FRAME_SAMPLES)
    found = np.empty(num_frames, np.float32)
    state = {name: np.zeros((1, 1, 128), np.float32) for name in ("h", "c")}
    before = np.zeros(_CONTEXT_SAMPLES, np.float32)
    for first in range(0, num_frames, _BLOCK_FRAMES):
        count = min(_BLOCK_FRAMES, num_frames - first)
        block = np.zeros(count * FRAME_SAMPLES, np.float32)
        piece = samples[first * FRAME_SAMPLES : (first + count) * FRAME_SAMPLES]
        block[: len(piece)] = piece
        # Each frame is seen after the last 64 samples of the one before it.
        joined = np.concatenate([before, block])
        frames = np.lib.stride_tricks.sliding_window_view(joined, FRAME_SAMPLES + _CONTEXT_SAMPLES)[::FRAME_SAMPLES]
        output, state["h"], state["c"] = session.run(None, {"input": np.ascontiguousarray(frames), **state})
        found[first : first + count] = output.reshape(-1)
        before = block[-_CONTEXT_SAMPLES:]
        report((first + count) / num_frames)
    return found


def voice_regions(
    probability: NDArray[np.float32],
    *,
    begin: float = BEGIN,
    end: float = END,
    min_seconds: float = 0.1,
    max_gap: float = 0.3,
    pad: float = 0.2,
) -> tuple[Span, ...]:
    """Stretches with voice, in order and disjoint.

    Args:
        probability: ``(num_frames,)`` from `voice_probability`.
        begin: a region begins where the probability reaches this.
        end: and ends where it falls below this.
        min_seconds: shorter regions are noise.
        max_gap: a pause no longer than this does not end a region.
        pad: seconds added on each side, because onsets and fading endings score low.
    """
    spans: list[Span] = []
    opened: int | None = None
    for index, value in enumerate(probability.tolist()):
        if opened is None and value >= begin:
            opened = index
        elif opened is not None and value < end:
            spans.append(Span(opened * FRAME_SECONDS, index * FRAME_SECONDS))
            opened = None
    length = len(probability) * FRAME_SECONDS
    if opened is not None:
        spans.append(Span(opened * FRAME_SECONDS, length))
    kept = [span for span in union(spans, max_gap) if span.duration >= min_seconds]
    return union(Span(max(0.0, span.start - pad), min(length, span.end + pad)) for span in kept)


@functools.lru_cache(maxsize=1)
def _session() -> Any:
    import onnxruntime
    from faster_whisper.utils import get_assets_path

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    path = f"{get_assets_path()}/silero_vad_v6.onnx"
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
