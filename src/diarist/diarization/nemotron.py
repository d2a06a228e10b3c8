"""NVIDIA's Nemotron-3-Diarization, the successor of Sortformer, behind the same protocol.

One network, no clustering: it hears the recording in chunks, remembers up to eight voices in the order in which they
came, and says for each 10 ms how likely each of them is to speak. Runs offline, the whole recording in one call,
through transformers 5.23. Needs the extra ``nemotron``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.diarization.adapter import Adapter, name_speakers, shown_name, within
from diarist.extras import install
from diarist.gpu import torch_uses_gpu
from diarist.model.errors import EngineError, WeightsError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, ModelInfo, SpeakerScores, Turn

REPOSITORY = "nvidia/Nemotron-3-Diarization"


def load_nemotron(
    name: str = REPOSITORY,
    *,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = ignore,  # noqa: ARG001 - all loaders are called alike
) -> NemotronDiarizer:
    """Load the network and its processor.

    Args:
        name: a repository on the hub (a token is taken from ``HF_TOKEN``), or a folder.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: CPU threads; sets torch's, for the process.
        progress: not used: the library tells of its downloads itself.

    Raises:
        EngineError: torch or a transformers that knows this network is not installed.
        WeightsError: the files cannot be fetched or read, or belong to another network.
    """
    try:
        import torch
        import transformers
        from transformers import Nemotron3DiarizationForAudioFrameClassification as Network
        from transformers import Nemotron3DiarizationProcessor as Processor
    except ImportError as error:
        raise EngineError(
            "nemotron_missing", "Nemotron needs torch and transformers 5.23.", install("nemotron")
        ) from error
    where = "cuda" if torch_uses_gpu(device) else "cpu"
    try:
        processor = Processor.from_pretrained(name)
        # Never a pickle. Tensors that do not fit would only be warned about, and replaced by chance.
        network, fit = Network.from_pretrained(name, use_safetensors=True, output_loading_info=True)
        if fit["missing_keys"] or fit["unexpected_keys"]:
            raise ValueError(name)
    except Exception as error:  # the library raises whatever the hub client or safetensors does
        raise WeightsError(
            "nemotron_weights",
            f"transformers cannot load {name} ({type(error).__name__}).",
            "Name a repository or a folder with config.json, model.safetensors and processor_config.json.",
        ) from error
    if threads:
        torch.set_num_threads(threads)
    info = ModelInfo("diarization", shown_name(name), None, f"transformers {transformers.__version__}")
    return NemotronDiarizer(network.eval().to(where), processor, info)


class NemotronDiarizer(Adapter):
    """The network as a `diarist.diarization.base.Diarizer`. Gives soft scores and no embeddings."""

    cannot_count = "Nemotron"

    def __init__(self, network: Any, processor: Any, model: ModelInfo) -> None:
        super().__init__(model)
        self._network = network
        self._processor = processor

    def _find(self, audio: Audio, _options: Options, _progress: Progress) -> Diarization:
        import torch

        try:
            with torch.inference_mode():
                inputs = self._processor(audio.samples, sampling_rate=SAMPLE_RATE)
                inputs = inputs.to(self._network.device, dtype=self._network.dtype)
                logits = self._network(**inputs).logits.float().cpu()
        except Exception as error:
            raise EngineError("nemotron_failed", f"Nemotron failed: {type(error).__name__}.") from error
        mask = inputs["attention_mask"].cpu()
        loudest = torch.nn.functional.one_hot(logits.argmax(dim=2), logits.shape[2]).bool()
        found, alone = (
            within(((s["Start"], s["End"], s["Speaker"]) for s in segments), audio.duration)
            for segments in (
                self._processor.extract_speaker_dict(some, mask)[0]
                for some in (logits, logits.masked_fill(~loudest, -torch.inf))
            )
        )
        # Windows are centred: frame k is at k * step.
        step = self._processor.feature_extractor.hop_length / SAMPLE_RATE
        values = logits[0, : int(mask.sum())].sigmoid().numpy()
        labels = name_speakers(found)
        levels = np.rint(values[:, list(labels)] * 255).astype(np.uint8)

        def turn(start: float, end: float, column: int) -> Turn:
            first = round(start / step)
            mean = float(values[first : max(round(end / step), first + 1), column].mean())
            return Turn(start, end, labels[column], min(1.0, mean))

        return Diarization(
            turns=tuple(turn(*segment) for segment in found),
            exclusive=tuple(turn(*segment) for segment in alone),
            duration=audio.duration,
            model=self._model,
            scores=SpeakerScores(0.0, step, tuple(labels.values()), levels.tobytes()) if labels else None,
        )
