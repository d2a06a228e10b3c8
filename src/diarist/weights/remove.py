"""Delete models that diarist fetched, and nothing that it did not fetch."""

from __future__ import annotations

import shutil
from pathlib import Path

from diarist.model.errors import InputError, WeightsError
from diarist.weights import pins
from diarist.weights.catalog import HubSource, find_model
from diarist.weights.locate import Places, locate, places


def remove(name: str, where: Places | None = None) -> list[Path]:
    """Delete a model from diarist's cache and from the hub's.

    In the hub's cache the whole repository goes, with all its revisions: snapshots are links into it. What the hub gave
    first is forgotten: the next download is trusted anew.

    Args:
        name: a name in the catalog.
        where: the places to look into; by default those of this process's environment.

    Returns:
        The folders that were deleted.

    Raises:
        InputError: no model has this name, it is not on this machine, or it lies only where diarist does not delete.
        WeightsError: a folder cannot be deleted.
    """
    entry = find_model(name)
    where = where or places()
    ours = [where.folder(entry)]
    if where.hub_cache is not None:
        repos = [source.repo for source in entry.sources if isinstance(source, HubSource)]
        ours += [where.hub_cache / f"models--{repo.replace('/', '--')}" for repo in repos]
    present = [folder for folder in ours if folder.is_dir()]
    forgotten = pins.forget(where.cache, entry.repos)
    if not present and forgotten:
        return []
    if not present:
        found = locate(name, where)
        if found is None:
            raise InputError("model_missing", f"{name} is not on this machine.", "See: diarist models list")
        raise InputError(
            "model_not_ours", f"{name} is in {found.path}, which diarist did not fetch.", "Delete it there."
        )
    for folder in present:
        try:
            folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)
        except OSError as error:
            raise WeightsError(
                "cannot_delete", f"Cannot delete {folder}: {error.strerror}.", "Check the folder's permissions."
            ) from error
    return present
