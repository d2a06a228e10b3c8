"""Which model ``auto`` means on this machine: the best that is here, else the small embedded one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from diarist.weights.catalog import CATALOG

# The 25 languages of Parakeet v3, from its model card.
PARAKEET_V3_LANGUAGES = frozenset(
    "bg cs da de el en es et fi fr hr hu it lt lv mt nl pl pt ro ru sk sl sv uk".split()  # noqa: SIM905
)
ENGLISH = frozenset({"en"})


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that will run, and why.

    Attributes:
        name: the model's name.
        weights: the catalog entries it needs.
        reason: why this one, in a few words.
        better: the catalog entries of a better one; none where this is the best there is.
    """

    name: str
    weights: tuple[str, ...]
    reason: str
    better: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    weights: tuple[str, ...]
    languages: frozenset[str] | None = None  # None: any
    gpu_weights: tuple[str, ...] | None = None  # None: the same as on a CPU

    def needs(self, *, gpu: bool) -> tuple[str, ...]:
        return self.gpu_weights if gpu and self.gpu_weights else self.weights

    def speaks(self, language: str | None) -> bool:
        return self.languages is None or language is None or language in self.languages


# Best first. Word error rates on the Open ASR leaderboard, 2026-08: Parakeet v2 6.05 %, v3 6.32 %, large-v3 7.44 %.
TRANSCRIBERS = (
    _Known("parakeet-tdt-0.6b-v2", ("parakeet-tdt-0.6b-v2-onnx",), ENGLISH, ("parakeet-tdt-0.6b-v2",)),
    _Known("parakeet-tdt-0.6b-v3", ("parakeet-tdt-0.6b-v3-onnx",), PARAKEET_V3_LANGUAGES, ("parakeet-tdt-0.6b-v3",)),
    _Known("whisper-large-v3-turbo", ("whisper-large-v3-turbo",)),
    _Known("whisper-large-v3", ("whisper-large-v3",)),
    _Known("whisper-medium", ("whisper-medium",)),
    _Known("whisper-small", ("whisper-small",)),
    _Known("whisper-base", ("whisper-base",)),
    _Known("whisper-tiny.en", ("whisper-tiny.en",), ENGLISH),
)
_log = logging.getLogger(__name__)
EMBEDDED_TRANSCRIBER = "whisper-base"
EMBEDDED_DIARIZER = "embedded"
DIARIZERS = (
    _Known("community-1", ("community-1",)),
    _Known("3.1", ("segmentation-3.0", "wespeaker-voxceleb-resnet34-LM")),
    _Known("embedded", ("segmentation-3.0", "campplus")),
)


def auto_transcriber(
    language: str | None, present: Callable[[str], bool] | None = None, *, gpu: bool = False
) -> Choice:
    """Choose the best transcription model that is already here and knows the language; never a large download.

    Args:
        language: ISO 639 code, or None where it is not known; then models of many languages go before those of one
            that are about as good.
        present: whether the catalog entry of that name is on this machine.
        gpu: whether it will run on a GPU that torch can use, which reads other files.
    """
    known = [model for model in TRANSCRIBERS if model.speaks(language)]
    if language is None:
        known.sort(key=lambda model: (not model.name.startswith("parakeet"), model.languages == ENGLISH))
    return _best(known, EMBEDDED_TRANSCRIBER, present or _is_here, gpu)


def auto_diarizer(present: Callable[[str], bool] | None = None) -> Choice:
    """Choose the best diarization model that is already here; never a large or gated download."""
    present = present or _is_here
    choice = _best(DIARIZERS, EMBEDDED_DIARIZER, present, False)
    if choice.name == EMBEDDED_DIARIZER and present("speaker-diarization-3.1"):
        lacking = [name for known in DIARIZERS if known.name == "3.1" for name in known.weights if not present(name)]
        _log.warning(
            "speaker-diarization-3.1 is here, but holds parameters only; %s is not, so speakers are found by %s. "
            "Images with WEIGHTS=open have it; elsewhere: diarist models pull %s",
            *(" and ".join(lacking), choice.name, " ".join(lacking)),
        )
    return choice


def told(taken: Mapping[str, Choice]) -> str:
    """One line of what ``auto`` took, by what it is for, and of how to get better."""
    line = ", ".join(f"{what}: {choice.name}" for what, choice in taken.items())
    better = [name for choice in taken.values() for name in choice.better]
    return f"{line}; better: diarist models pull {' '.join(better)} ({sizes(better)})" if better else line


def sizes(names: Sequence[str]) -> str:
    """How much there is to fetch for each of some models of the catalog."""
    return ", ".join(CATALOG[name].download or "size not known" for name in names)


def speaks(model: str, language: str | None) -> bool:
    """Whether a transcription model knows a language, as far as can be told from its name."""
    known = next((each for each in TRANSCRIBERS if each.name == model), None)
    return known is None or known.speaks(language)


def _best(known: Sequence[_Known], embedded: str, present: Callable[[str], bool], gpu: bool) -> Choice:
    def here(model: _Known) -> bool:
        return all(present(name) for name in model.needs(gpu=gpu))

    model = next((model for model in known if here(model)), None) or next(m for m in known if m.name == embedded)
    best = known[0]
    return Choice(
        model.name,
        model.needs(gpu=gpu),
        "best one here" if here(model) else "none is here, and this one is small",
        () if model is best else best.needs(gpu=gpu),
    )


def _is_here(name: str) -> bool:
    from diarist.weights.locate import locate

    return locate(name) is not None
