"""How fast a machine is: what a plan is computed from. Every figure says whether it was measured, and where it is from.

A measured profile is written by ``diarist bench --profile``; the ones that come with the package say in each figure
whether it was measured by us, published by others, or is an estimate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec

from diarist.files import read_bounded, why, write_whole
from diarist.model import codec
from diarist.model.errors import InputError

Kind = Literal["measured", "published", "estimate"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its origin.

    Attributes:
        value: the number.
        kind: whether we measured it, others published it, or it is an estimate.
        source: the command, the publication, or the reasoning.
    """

    value: float
    kind: Kind
    source: str

    def told(self, what: str, unit: str) -> str:
        """A sentence: what it is, how much, and where that is from."""
        return f"{what}: {self.value:.4g} {unit} ({self.kind}: {self.source})."


@dataclass(frozen=True, slots=True)
class Speed:
    """How long a step holds a worker's one inference slot.

    Attributes:
        per_audio_second: seconds for each second of audio, i.e. the real-time factor of long recordings.
        per_request: seconds for each request, however short.
    """

    per_audio_second: Figure
    per_request: Figure

    def seconds(self, audio_seconds: float) -> float:
        """Seconds for a recording."""
        return self.per_request.value + self.per_audio_second.value * audio_seconds


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of a worker's start.

    Attributes:
        seconds: how long it takes.
        billed: whether the platform charges for it; image pulls and cached-model downloads are free.
    """

    seconds: Figure
    billed: bool = True


@dataclass(frozen=True, slots=True)
class Profile:
    """Speeds and starts on one kind of machine.

    Attributes:
        name: how it is called for.
        hardware: GPU name as in the price table, or what CPU.
        models: which models these figures are of.
        transcription: speed of the words alone.
        diarization: speed of the speakers alone.
        both: speed of both at once in one worker.
        preparation: download, decoding and encoding of a request, beside another one's inference.
        overhead: seconds of a request outside of workers: queue, polling, attribution.
        starts: phases of a worker's start, by role.
    """

    name: str
    hardware: str
    models: str
    transcription: Speed
    diarization: Speed
    both: Speed
    preparation: Speed
    overhead: Figure
    starts: Mapping[str, Mapping[str, Phase]] = field(default_factory=dict)

    def start(self, role: str) -> Mapping[str, Phase]:
        """Phases of a role's start.

        Raises:
            InputError: the profile does not know that role.
        """
        try:
            return self.starts[role]
        except KeyError:
            raise InputError("bad_profile", f"Profile {self.name} has no start for {role}.", "Measure one.") from None


def packaged_profiles() -> dict[str, Profile]:
    """The profiles that come with this version, by name."""
    folder = resources.files("diarist.planning") / "profiles"
    profiles = [
        msgspec.json.decode(file.read_bytes(), type=Profile) for file in folder.iterdir() if file.name.endswith(".json")
    ]
    return {profile.name: profile for profile in sorted(profiles, key=lambda profile: profile.name)}


def profile_of(hardware: str, name_or_file: str | None) -> Profile:
    """The profile that was asked for; if none was, the packaged one of a GPU.

    Raises:
        InputError: there is none, or the file is not a profile.
    """
    if name_or_file is not None:
        return load_profile(name_or_file)
    known = {profile.hardware: profile for profile in packaged_profiles().values()}
    if hardware not in known:
        raise InputError(
            "no_profile",
            f"No speeds are known for {hardware}.",
            "Measure them there with diarist bench --profile and name the file with --profile, or take one of: "
            f"{', '.join(name for name in known if not name.startswith('CPU'))}.",
        )
    return known[hardware]


def load_profile(name_or_file: str) -> Profile:
    """Find a packaged profile by name, or read one from a ``.json`` file.

    Raises:
        InputError: there is none, or the file is not a profile.
    """
    if not name_or_file.endswith(".json"):
        packaged = packaged_profiles()
        if name_or_file not in packaged:
            raise InputError(
                "unknown_profile",
                f"There is no profile {name_or_file!r}.",
                f"Choose from: {', '.join(packaged)}; or name a .json file of diarist bench --profile.",
            )
        return packaged[name_or_file]
    try:
        profile = codec.read(Profile, read_bounded(name_or_file))
    except OSError as error:
        raise InputError("unknown_profile", f"Cannot read {name_or_file}: {why(error)}.") from error
    except InputError as error:
        raise InputError(
            "bad_profile", f"{name_or_file} is not a profile: {error.message}", "Write one with diarist bench."
        ) from error
    for name in ("transcription", "diarization", "both"):
        speed: Speed = getattr(profile, name)
        if speed.per_audio_second.value <= 0 or speed.per_request.value < 0:
            raise InputError(
                "bad_profile",
                f"{name_or_file} cannot be true: {name} takes {speed.per_audio_second.value} s per second of audio "
                f"and {speed.per_request.value} s per request.",
                "Measure again with diarist bench and two minutes of audio or more.",
            )
    if any(not 0 <= figure.value <= _MOST_SECONDS for figure in _figures(profile)):
        raise InputError(
            "bad_profile", f"{name_or_file} has a length of time that cannot be.", "Measure again with diarist bench."
        )
    return profile


_MOST_SECONDS = 30 * 24 * 3600  # a month, longer than anything that is planned here


def _figures(profile: Profile) -> Iterator[Figure]:
    for speed in (profile.transcription, profile.diarization, profile.both, profile.preparation):
        yield from (speed.per_audio_second, speed.per_request)
    yield profile.overhead
    yield from (phase.seconds for start in profile.starts.values() for phase in start.values())


def save_profile(profile: Profile, file: Path) -> None:
    """Write a profile that `load_profile` reads, whole or not at all.

    Raises:
        InputError: the file's name does not end in ``.json``, or it cannot be written.
    """
    if file.suffix != ".json":
        raise InputError("bad_profile", f"A profile is a .json file, not {file.name!r}.")
    write_whole(file, msgspec.json.format(msgspec.json.encode(profile), indent=2) + b"\n")
