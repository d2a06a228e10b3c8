"""How getting weights fails, inside this room."""

from __future__ import annotations

from diarist.model.errors import WeightsError


class SourceFailed(Exception):
    """One source cannot provide a model; the next may.

    Attributes:
        reason: half a sentence, without addresses or secrets.
        code: a more telling error code than ``"weights_unavailable"``, where there is one.
        hint: what the user can do about it, where there is something.
        unreached: whether nothing is known of the source, because nobody answered.
    """

    def __init__(
        self, reason: str, *, code: str = "weights_unavailable", hint: str = "", unreached: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.hint = hint
        self.unreached = unreached


def disk_full() -> WeightsError:
    """No source can help then."""
    return WeightsError(
        "disk_full",
        "The disk is full; the model was not kept.",
        "Free some space, or set DIARIST_CACHE to a folder with more of it.",
    )
