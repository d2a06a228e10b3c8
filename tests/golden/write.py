"""Write the golden files anew from ``conversation.json`` and the others, as ``make golden`` does; name what changed.

Read what git shows as changed before you commit it: these files say what each format promises.
"""

import io
import json
import zipfile
from pathlib import Path

from diarist.formats import FORMATS, render
from diarist.model import codec
from diarist.model.transcript import Transcript

HERE = Path(__file__).parent


def unpacked(content: bytes) -> object:
    """What a file says: compressors differ between machines, what they packed does not."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content
    packed = zipfile.ZipFile(io.BytesIO(content))
    return {entry: packed.read(entry) for entry in packed.namelist()}


def main() -> None:
    """Write each format whose content differs from its golden file."""
    for document in sorted(path for path in HERE.glob("*.json") if path.name.count(".") == 1):
        transcript = codec.load(Transcript, json.loads(document.read_text(encoding="utf-8")))
        for name, format_ in FORMATS.items():
            path = document.with_suffix(f".{format_.extension}")
            written = render(transcript, name, name=document.stem)
            if isinstance(written, bytes) and document.stem != "conversation":
                continue
            content = written if isinstance(written, bytes) else written.encode()
            if not path.exists() or unpacked(path.read_bytes()) != unpacked(content):
                path.write_bytes(content)
                print(path.name)


if __name__ == "__main__":
    main()
