"""A diarist server for assistants: tools of the Model Context Protocol (modelcontextprotocol.io) on top of its jobs.

Needs the extra ``mcp``; whoever imports this module has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from diarist import __version__
from diarist.audio.recording import CLI_KINDS, Kind, parse_recording
from diarist.editing import Rename
from diarist.model.errors import DiaristError
from diarist.model.options import Options
from diarist.server.client import connect


def make(url: str) -> MCPServer:
    """Make the MCP server in front of a diarist server.

    Raises:
        InputError: ``url`` is no server's address.
    """
    there = connect(url)
    server = MCPServer(
        "diarist",
        version=__version__,
        instructions="Transcribes recordings and says who speaks. A transcript is asked for by its job's id.",
        log_level="WARNING",
    )

    @server.tool()
    async def transcribe(
        recording: str, context: Context, num_speakers: int | None = None, language: str | None = None
    ) -> str:
        """Transcribe a recording: a file's path or an https URL. Returns the job's id, and who said what."""
        with _told():
            given = parse_recording(recording, CLI_KINDS - {Kind.STDIN})
            job = await there.asubmit(given, Options(num_speakers=num_speakers, language=language))
            async for state in job.afollow():
                await context.report_progress(min(state.stages.values(), default=0.0), 1.0)
            return f"job {job.id}\n\n{(await job.arender('txt')).decode()}"

    @server.tool()
    async def get_transcript(job: str, format: str = "txt") -> str:  # noqa: A002
        """Read a job's transcript: as txt, md, srt, vtt, csv, json or another text format of diarist."""
        with _told():
            return (await there.job(job).arender(format)).decode(errors="replace")

    @server.tool()
    async def rename_speaker(job: str, speaker: str, name: str) -> str:
        """Give a speaker of a transcript, e.g. SPEAKER_00, a name. Returns the transcript."""
        with _told():
            await there.job(job).aedit(Rename({speaker: name}))
            return (await there.job(job).arender("txt")).decode()

    return server


@contextmanager
def _told() -> Iterator[None]:
    """Let the assistant read our errors: what happened, and what to do."""
    try:
        yield
    except DiaristError as error:
        raise ToolError(str(error)) from None
