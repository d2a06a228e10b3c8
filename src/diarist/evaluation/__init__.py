"""How good a transcript is: word, speaker and timing errors against a reference.

Needs the extra ``eval`` (MeetEval, pyannote.metrics, whisper-normalizer). No module here imports them at its top.
"""

from __future__ import annotations
