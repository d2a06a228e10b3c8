"""Files from the Hugging Face hub, into the hub's own cache, where other tools find them too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from diarist.weights.catalog import HubSource, ModelEntry
from diarist.weights.errors import SourceFailed


def download(source: HubSource, entry: ModelEntry, cache: Path | None, report: Callable[[float], None]) -> Path:
    """Fetch the files of ``entry`` and return the snapshot folder."""
    from huggingface_hub import snapshot_download

    report(0.0)
    try:
        return Path(
            snapshot_download(
                source.repo,
                revision=source.revision,
                allow_patterns=[file.path for file in entry.files],
                cache_dir=cache,
            )
        )
    except Exception as error:
        raise SourceFailed(f"{source.repo} could not be read from the hub ({type(error).__name__})") from error
