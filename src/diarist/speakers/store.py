"""Known voices, kept on this machine.

A voice embedding is biometric data about a person: it is stored in one file that only its owner can read, with a note
of how the person agreed.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from diarist.files import read_bounded, user_folder, why, write_whole
from diarist.model import codec
from diarist.model.errors import InputError
from diarist.speakers.identify import Voice, check_length


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    schema: Literal["diarist.voices/1"] = "diarist.voices/1"
    note: str = (
        "Voice embeddings are biometric data: keep them only with the person's consent, and remove them on request."
    )
    voices: tuple[Voice, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class VoiceStore:
    """Known voices in one JSON file that its owner can read, edit and delete.

    Args:
        path: the file; it need not exist.
    """

    path: Path

    def load(self) -> tuple[Voice, ...]:
        """Return all voices.

        Raises:
            InputError: the file is not readable or not ours.
        """
        hint = "Repair the file or delete it."
        try:
            voices = codec.read(_Document, read_bounded(self.path)).voices
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise InputError("bad_voices", f"Cannot read the voices in {self.path}: {why(error)}.", hint) from error
        except InputError as error:
            raise InputError("bad_voices", f"Cannot read the voices in {self.path}: {error.message}", hint) from error
        for voice in voices:
            if wrong := _wrong(voice):
                raise InputError("bad_voices", f"The voice {voice.name[:80]!r} in {self.path} {wrong}.", hint)
        return voices

    def add(self, voice: Voice) -> Voice:
        """Add a voice; more speech of a voice already known is averaged with it, by seconds.

        Returns:
            The voice as stored.

        Raises:
            InputError: the store cannot be read or written, or knows the name under another model.
        """
        voices = {known.name: known for known in self.load()}
        known = voices.get(voice.name)
        if known is not None:
            if known.model != voice.model:
                raise InputError(
                    "other_model",
                    f"The voice {voice.name!r} was made with the model {known.model!r}.",
                    f"Remove it first: diarist voices remove {voice.name!r}",
                )
            check_length(known, len(voice.embedding))
            seconds = known.seconds + voice.seconds
            mean = [
                (known.seconds * a + voice.seconds * b) / seconds
                for a, b in zip(known.embedding, voice.embedding, strict=True)
            ]
            length = math.hypot(*mean) or 1.0
            unit = tuple(round(value / length, 6) for value in mean)
            voice = replace(voice, embedding=unit, seconds=round(seconds, 1))
        self._write({**voices, voice.name: voice})
        return voice

    def remove(self, name: str) -> None:
        """Forget a voice.

        Raises:
            InputError: no such voice.
        """
        voices = {known.name: known for known in self.load()}
        if name not in voices:
            known = ", ".join(voices) or "none"
            raise InputError("no_such_voice", f"There is no voice {name!r}.", f"Known voices: {known}.")
        del voices[name]
        self._write(voices)

    def _write(self, voices: Mapping[str, Voice]) -> None:
        document = codec.dump(_Document(voices=tuple(voices.values())))
        text = json.dumps(document, ensure_ascii=False, indent=2)
        write_whole(self.path, text.encode(), mode=0o600)  # biometric data: for its owner only


def _wrong(voice: Voice) -> str | None:
    """What a voice has that no voice can have."""
    if max(len(voice.name), len(voice.model)) > _MOST_CHARACTERS:
        return "has too long a name, or one of a model"
    if not all(abs(value) <= _MOST for value in voice.embedding) or not any(voice.embedding):
        return "has an embedding that is no direction"
    return None if 0 < voice.seconds < _MOST else "was made of no length of speech"


_MOST_CHARACTERS: Final = 500
_MOST: Final = 1e9  # far above any, and its square and the sum of many are finite


def default_store() -> VoiceStore:
    """Return the user's store: ``voices.json`` in the user data folder, or the file that ``DIARIST_VOICES`` names.

    Raises:
        InputError: there is neither, as for a user without a home.
    """
    if named := os.environ.get("DIARIST_VOICES"):
        return VoiceStore(Path(named))
    folder = user_folder("data")
    if folder is None:
        raise InputError(
            "no_home", "This user has no home folder to keep voices in.", "Set HOME, or DIARIST_VOICES to a file."
        )
    return VoiceStore(folder / "voices.json")
