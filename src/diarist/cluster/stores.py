"""From a folder's path or a URL to its store."""

from __future__ import annotations

import re

from diarist.cluster.elsewhere import S3, Remote
from diarist.cluster.store import Folder, Store


def open_store(place: str) -> Store:
    """Return the store of a folder's path or a URL: ``s3://BUCKET/PREFIX``, or any that fsspec knows.

    Raises:
        InputError: what would open it is not installed, or the URL is malformed.
    """
    scheme = re.match(r"([a-z][a-z0-9+.-]*)://", place)
    if scheme is None:
        return Folder(place)
    return S3(place) if scheme[1] == "s3" else Remote(place)
