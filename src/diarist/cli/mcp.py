"""``diarist mcp``: lets an assistant transcribe, over the Model Context Protocol (modelcontextprotocol.io)."""

from __future__ import annotations

from typing import Annotated

import typer

from diarist.extras import install
from diarist.model.errors import InputError


def mcp(
    on: Annotated[
        str,
        typer.Option("--on", metavar="URL", help="The diarist server that does the work.", envvar="DIARIST_URL"),
    ] = "http://127.0.0.1:8000",
) -> None:
    """Let an assistant transcribe recordings, read transcripts and name speakers.

    It speaks the Model Context Protocol on standard input and output, so an assistant starts it; the work is done by
    a server, which you start with diarist serve. A key goes into DIARIST_API_KEY.

    Examples:
      diarist mcp

      diarist mcp --on http://notes.example:8000
    """
    try:
        from diarist.server.assistant import make
    except ImportError:
        raise InputError(
            "missing_package", "diarist mcp needs a package more.", f"Install it: {install('mcp')}"
        ) from None
    make(on).run()
