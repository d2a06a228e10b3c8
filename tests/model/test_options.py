"""Contradictions are refused when options are made."""

import pytest

from diarist.model.errors import InputError
from diarist.model.options import Options


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"language": "Klingon"}, "No model here knows a language 'Klingon'"),
        ({"num_speakers": 0}, "num_speakers must be from 1"),
        ({"max_speakers": 65}, "max_speakers must be from 1 to 64"),
        ({"num_speakers": 2, "max_speakers": 3}, "cannot be combined"),
        ({"min_speakers": 4, "max_speakers": 3}, "min_speakers (4) is more than max_speakers (3)"),
        ({"diarize": False, "num_speakers": 2}, "without diarization"),
        ({"task": "summarise"}, "no task 'summarise'"),
        ({"temperature": 1.5}, "temperature must be from 0 to 1"),
        ({"temperature": float("nan")}, "temperature must be from 0 to 1"),
        ({"hotwords": ("",)}, "from 1 to 80 printable"),
        ({"hotwords": ("x" * 81,)}, "from 1 to 80 printable"),
        ({"hotwords": ("a\nb",)}, "from 1 to 80 printable"),
        ({"hotwords": ("x",) * 201}, "At most 200 hotwords"),
    ],
)
def test_bad_options_say_why(options, says):
    with pytest.raises(InputError) as caught:
        Options(**options)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2
