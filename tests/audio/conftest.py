"""Recordings made on the spot, in every container and codec that the wheel can write."""

import io
import struct

import av
import numpy as np
import pytest


def tone(seconds=2.0, rate=16_000, channels=1, frequency=440.0):
    """``(num_samples, channels)`` float32; channel ``i`` holds ``i + 1`` times the frequency."""
    t = np.arange(round(seconds * rate)) / rate
    return np.stack([0.3 * np.sin(2 * np.pi * frequency * (i + 1) * t) for i in range(channels)], axis=1).astype("f4")


def encode(container, codec, samples, rate, options=None, picture=False, start=0.0, hole=None, path=None):
    """Encode ``(num_samples, num_channels)`` float32; optionally beside a picture, late, or with a hole in time."""
    file = path or io.BytesIO()
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    with av.open(file, "w", format=container, container_options=options or {}) as output:
        video = output.add_stream("mpeg4", rate=10) if picture else None
        stream = output.add_stream(codec, rate=rate, layout=layout)
        if video is not None:
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            for index in range(10):
                image = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), "u1"), format="rgb24")
                image.pts = index
                output.mux(video.encode(image))
            output.mux(video.encode(None))
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
        step = rate // 10
        for at in range(0, len(samples), step):
            block = np.ascontiguousarray(samples[at : at + step]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="flt", layout=layout)
            late = start + (hole[1] if hole and at >= hole[0] * rate else 0.0)
            frame.sample_rate, frame.pts = rate, at + round(late * rate)
            for each in resampler.resample(frame):
                output.mux(stream.encode(each))
        for each in resampler.resample(None):
            output.mux(stream.encode(each))
        output.mux(stream.encode(None))
    return path.read_bytes() if path else file.getvalue()


def wav(samples, rate=16_000, declared=None):
    """A WAV of ``(num_samples, num_channels)`` int16 or float32, whose header may lie about its length."""
    samples = np.atleast_2d(samples.T).T
    data, width, channels = samples.tobytes(), samples.dtype.itemsize, samples.shape[1]
    size = len(data) if declared is None else declared
    kind = 3 if samples.dtype.kind == "f" else 1
    head = struct.pack("<IHHIIHH", 16, kind, channels, rate, rate * channels * width, channels * width, width * 8)
    return b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + head + b"data" + struct.pack("<I", size) + data


@pytest.fixture(scope="session", name="tone")
def _tone():
    return tone


@pytest.fixture(scope="session", name="encode")
def _encode():
    return encode


@pytest.fixture(scope="session", name="wav")
def _wav():
    return wav
