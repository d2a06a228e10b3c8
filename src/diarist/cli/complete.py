"""Values that the shell offers when Tab is pressed; nothing heavy is imported to know them."""

from __future__ import annotations


def formats(incomplete: str) -> list[tuple[str, str]]:
    """Formats, with what they are for."""
    from diarist.formats import FORMATS

    return [(name, form.summary) for name, form in FORMATS.items() if name.startswith(incomplete.lower())]


def models(incomplete: str) -> list[str]:
    """Transcription models of the catalog."""
    return _catalog("transcription", incomplete)


def diarizers(incomplete: str) -> list[str]:
    """Diarization models."""
    return [name for name in ("auto", "community-1", "3.1", "embedded") if name.startswith(incomplete)]


def languages(incomplete: str) -> list[str]:
    """Codes of the languages that Whisper knows."""
    from diarist.model.languages import codes

    return [code for code in ("auto", *codes()) if code.startswith(incomplete.lower())]


def devices(incomplete: str) -> list[str]:
    """Where engines compute."""
    return [name for name in ("auto", "cpu", "cuda") if name.startswith(incomplete)]


def places(incomplete: str) -> list[str]:
    """Where engines run."""
    from diarist.places import PLACES

    names = ["http://" if name == "http" else name for name in PLACES]
    return [name for name in names if name.startswith(incomplete)]


def gpus(incomplete: str) -> list[str]:
    """GPUs in the price table."""
    from diarist.planning.prices import load_prices

    names = ["all", *(gpu.name for gpu in load_prices().gpus)]
    return [name for name in names if name.lower().startswith(incomplete.lower())]


def _catalog(task: str, incomplete: str) -> list[str]:
    from diarist.weights.catalog import CATALOG

    names = [entry.name for entry in CATALOG.values() if entry.task == task]
    return [name for name in ("auto", *names) if name.startswith(incomplete)]
