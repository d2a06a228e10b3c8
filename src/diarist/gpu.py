"""Whether there is an NVIDIA GPU, and whether to compute on it: the one answer for engines, ``auto`` and ``doctor``.

The driver is asked. Whether an engine's library can make use of the GPU, only that library knows: it is asked after
this, by the engine (torch, which several engines share, here).
"""

from __future__ import annotations

import ctypes
import logging
import sys
from functools import cache
from typing import Final

from diarist.extras import install
from diarist.model.errors import InputError

_log = logging.getLogger(__name__)
DEVICES: Final = ("auto", "cpu", "cuda")


@cache
def gpu_count() -> int:
    """NVIDIA GPUs that this process may use: those that the driver shows it, after ``CUDA_VISIBLE_DEVICES``."""
    found = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(found))
    except (OSError, AttributeError):  # no driver, or a library of that name that is none
        failed = 1
    count = 0 if failed else found.value
    _log.info("%s", f"{count} NVIDIA GPU(s)" if count else "no NVIDIA GPU here: computing on the CPU")
    return count


def check_device(device: str) -> str:
    """Return the device's name as engines take it: ``"gpu"`` and capitals are understood.

    Raises:
        InputError: there is no such device.
    """
    plain = device.strip().lower()
    plain = "cuda" if plain == "gpu" else plain
    if plain not in DEVICES:
        raise InputError("bad_device", f"There is no device {device!r}.", f"Choose from {', '.join(DEVICES)}.")
    return plain


def wants_gpu(device: str) -> bool:
    """Whether an engine should compute on a GPU: one is there, and ``device`` does not say ``"cpu"``.

    Raises:
        InputError: there is no such device, or ``"cuda"`` is asked for where no GPU is.
    """
    device = check_device(device)
    if device == "cuda" and not gpu_count():
        raise InputError(
            "no_cuda", "There is no NVIDIA GPU that this process may use.", "Use the device 'auto' or 'cpu'."
        )
    return device != "cpu" and gpu_count() > 0


def torch_uses_gpu(device: str) -> bool:
    """Whether an engine on torch should compute on a GPU: as `wants_gpu`, where torch can.

    Imports torch only where there is a GPU.

    Raises:
        InputError: as `wants_gpu`; or ``"cuda"`` is asked for, and torch cannot use it or is not installed.
    """
    if not wants_gpu(device):
        return False
    try:
        import torch

        found = bool(torch.cuda.is_available())
    except ImportError:
        found = False
    if not found and check_device(device) == "cuda":
        raise InputError(
            "no_cuda", "torch is missing, or cannot use the GPU.", f"Use the device 'cpu', or: {install('gpu')}"
        )
    return found
