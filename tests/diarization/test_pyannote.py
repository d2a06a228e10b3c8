"""The adapter for pyannote.audio, where that is installed."""

from __future__ import annotations

import importlib.util
import os

import numpy as np
import pytest

from diarist.audio.audio import Audio
from diarist.diarization.pyannote import load_pyannote
from diarist.model.errors import EngineError

# pyannote.metrics, which others need, makes a package "pyannote" too.
installed = bool(importlib.util.find_spec("pyannote") and importlib.util.find_spec("pyannote.audio"))


@pytest.mark.skipif(installed, reason="pyannote.audio is installed")
def test_without_pyannote_the_way_out_is_named():
    with pytest.raises(EngineError, match=r"pip install .*pyannote-audio"):
        load_pyannote()


@pytest.mark.skipif(not installed or "DIARIST_PYANNOTE_PIPELINE" not in os.environ, reason="needs it and its weights")
def test_silence_has_no_turns():
    diarizer = load_pyannote(os.environ["DIARIST_PYANNOTE_PIPELINE"], device="cpu")
    assert diarizer.diarize(Audio(np.zeros(16_000 * 12, np.float32))).turns == ()
