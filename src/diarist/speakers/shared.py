"""The same voice in several recordings: one label for one person."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, count

from diarist.model.errors import InputError
from diarist.model.timeline import total
from diarist.model.transcript import Diarization
from diarist.speakers.identify import THRESHOLDS, Voice, identify, margin, seconds_heard, side


def link(recordings: Sequence[Diarization], threshold: float | None = None) -> list[dict[str, str]]:
    """Find speakers who are in several recordings.

    Agglomerative clustering by how far cosines are above what one voice needs, in the mean; two speakers of one
    recording are never one person.

    Args:
        recordings: made by one model.
        threshold: least mean cosine of one person's speakers; None takes the calibrated ones of the model.

    Returns:
        Per recording, shared labels by its own: ``SPEAKER_00``, … in order of first appearance.

    Raises:
        InputError: the recordings are of different models, or no threshold is known.
    """
    models = {recording.model.name for recording in recordings}
    if len(models) > 1:
        raise InputError("mixed_models", f"Voices of {' and '.join(sorted(models))} cannot be compared.")
    model = next(iter(models), "")
    if threshold is None and recordings and model not in THRESHOLDS:
        raise InputError("no_threshold", "No threshold is calibrated for this model.", "Give one.")
    nodes = [(index, label) for index, recording in enumerate(recordings) for label in recording.speakers]
    groups: dict[int, list[int]] = {node: [node] for node in range(len(nodes))}
    spoken = [seconds_heard(recording) for recording in recordings]
    sides = [
        side(model, recordings[index].embeddings[label], spoken[index][label]) if label in spoken[index] else None
        for index, label in nodes
    ]
    alike = {
        (a, b): margin(first, second, threshold)
        for (a, first), (b, second) in combinations(enumerate(sides), 2)
        if first is not None and second is not None and nodes[a][0] != nodes[b][0]
    }
    while alike:
        (a, b), best = max(alike.items(), key=lambda item: item[1])
        if best < 0:
            break
        _join(a, b, groups, alike)
    shared: list[dict[str, str]] = [{} for _ in recordings]
    for number, members in enumerate(sorted(groups.values(), key=min)):
        for member in members:
            index, label = nodes[member]
            shared[index][label] = f"SPEAKER_{number:02d}"
    return shared


def _join(a: int, b: int, groups: dict[int, list[int]], alike: dict[tuple[int, int], float]) -> None:
    """Put group b into group a, and average their likeness to every other; where one was forbidden, both are."""
    weights = (len(groups[a]), len(groups[b]))
    del alike[a, b]
    for other in groups:
        if other in (a, b):
            continue
        first = alike.pop((min(a, other), max(a, other)), None)
        second = alike.pop((min(b, other), max(b, other)), None)
        if first is not None and second is not None:
            mean = (weights[0] * first + weights[1] * second) / sum(weights)
            alike[min(a, other), max(a, other)] = mean
    groups[a] += groups.pop(b)


class SharedSpeakers:
    """Names the speakers of one recording after another, so that a person keeps one label in all of them.

    `link` decides with all recordings at hand; this decides as they come. Use it as a pipeline's ``naming``.

    Args:
        voices: known voices, whose names are used.
        threshold: least cosine; None takes the calibrated one of the model.
    """

    def __init__(self, voices: Sequence[Voice] = (), threshold: float | None = None) -> None:
        self._known = {voice.name: voice for voice in voices}
        self._threshold = threshold
        self._number = count()

    def __call__(self, diarization: Diarization) -> dict[str, str]:
        """Return a name or shared label for every speaker, and remember the new ones."""
        names = identify(diarization, list(self._known.values()), self._threshold)
        for label in diarization.speakers:
            if label not in names:
                numbered = (f"SPEAKER_{number:02d}" for number in self._number)
                names[label] = next(new for new in numbered if new not in self._known)
            if label in diarization.embeddings and names[label] not in self._known:
                self._known[names[label]] = Voice(
                    name=names[label],
                    embedding=diarization.embeddings[label],
                    model=diarization.model.name,
                    seconds=total(turn for turn in diarization.turns if turn.speaker == label),
                    consent="",
                    added="",
                )
        return names
