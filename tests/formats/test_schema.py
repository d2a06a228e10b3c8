"""The published JSON Schema says what we write."""

import json
from pathlib import Path

import jsonschema
import pytest

from diarist.formats.text import json_schema

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "transcript.schema.json"
GOLDEN = ROOT / "tests" / "golden" / "conversation.json"


def test_the_published_schema_is_made_from_the_dataclasses():
    # To publish a change: python -c "import json; from diarist.formats.text import json_schema;
    # print(json.dumps(json_schema(), indent=2))" > docs/transcript.schema.json
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == json_schema()


def test_our_json_is_valid_and_a_wrong_one_is_not():
    validator = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text(encoding="utf-8")))
    document = json.loads(GOLDEN.read_text(encoding="utf-8"))
    validator.validate(document)
    document["segments"][0]["words"][0]["start"] = "early"
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document)
