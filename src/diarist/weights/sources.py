"""Do the places that models come from still hold what the catalog says? They belong to others, who may change them.

Wheels are fetched, read and deleted again, since an index tells digests of wheels but not of what is in them. The hub
lists the digests of large files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diarist.model.errors import WeightsError
from diarist.model.progress import Progress, ignore
from diarist.weights import hub, wheel
from diarist.weights.catalog import HubSource, ModelEntry, WheelSource, find_model
from diarist.weights.errors import SourceFailed
from diarist.weights.fetch import carried, offline

Verdict = Literal["ok", "unknown", "closed", "failed", "not reached"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one source of one model.

    Attributes:
        model: its name in the catalog.
        source: where it was looked for.
        verdict: ``"ok"``: the files are there, and every digest we know is right; ``"unknown"``: they are there, and we
            know no digest of them; ``"closed"``: it asks for consent, so nothing could be seen; ``"failed"``: it is
            gone, or holds other files; ``"not reached"``: nobody answered, so nothing is known.
        detail: half a sentence on why.
    """

    model: str
    source: str
    verdict: Verdict
    detail: str


def check_sources(names: Iterable[str], *, progress: Progress = ignore) -> Iterator[Checked]:
    """Look at every source of the models ``names``, each as it is done.

    Args:
        names: names in the catalog.
        progress: told about each source in the stage ``"check <source>"``; may raise `Cancelled` to stop.

    Raises:
        InputError: no model has this name; before anything is fetched.
        WeightsError: offline mode is on, or the disk is full.
    """
    entries = list(dict.fromkeys(map(find_model, names)))
    if offline():
        raise WeightsError(
            "weights_offline",
            "Offline mode is on, so no source can be looked at.",
            "Unset DIARIST_OFFLINE and HF_HUB_OFFLINE.",
        )
    return _checked(entries, progress)


def download_bytes(names: Iterable[str]) -> int:
    """Bytes of all wheels that `check_sources` would fetch for ``names``."""
    sources = [source for name in names for source in find_model(name).sources if isinstance(source, WheelSource)]
    wheels = {(each.distribution, each.version): each.size for source in sources for each in source.wheels}
    return sum(wheels.values())


def _checked(entries: list[ModelEntry], progress: Progress) -> Iterator[Checked]:
    seen: dict[str, SourceFailed | None] = {}  # wheels that carry several models are fetched once
    for entry in entries:
        for source in entry.sources:
            with tempfile.TemporaryDirectory(prefix="diarist-") as scratch:
                if isinstance(source, HubSource):
                    yield _of_hub(entry, source, Path(scratch), progress)
                    continue
                if str(source) not in seen:
                    pairs = [pair for pair in carried(source) if pair[0] in entries]
                    seen[str(source)] = _of_wheels(pairs, Path(scratch), progress)
            failure = seen[str(source)]
            yield (
                _failed(entry, source, failure)
                if failure
                else Checked(entry.name, str(source), "ok", f"{len(entry.brought_by(source))} good")
            )


def _of_wheels(pairs: wheel.Pairs, scratch: Path, progress: Progress) -> SourceFailed | None:
    stage = f"check {pairs[0][1]}"
    try:
        wheel.unpack(pairs, scratch, lambda done: progress(stage, done))
    except SourceFailed as failure:
        return failure
    return None


def _of_hub(entry: ModelEntry, source: HubSource, scratch: Path, progress: Progress) -> Checked:
    progress(f"check {source}", 0.0)
    try:
        compared, unknown = hub.compare(source, entry, scratch)
    except SourceFailed as failure:
        return _failed(entry, source, failure)
    parts = [f"{len(compared)} good"] if compared else []
    parts += [f"{len(unknown)} there, no digest known"] if unknown else []
    return Checked(entry.name, str(source), "ok" if compared else "unknown", "; ".join(parts))


def _failed(entry: ModelEntry, source: HubSource | WheelSource, failure: SourceFailed) -> Checked:
    closed: Verdict = "closed" if failure.code == "weights_gated" else "failed"
    return Checked(entry.name, str(source), "not reached" if failure.unreached else closed, failure.reason)
