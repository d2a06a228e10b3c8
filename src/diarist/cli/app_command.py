"""``diarist app``: the page in a browser, on this computer alone; for people who want no command line."""

from __future__ import annotations

import socket
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diarist.cli import complete
from diarist.cli.serve import parse_keep, run
from diarist.cli.terminal import say
from diarist.model.errors import InputError

if TYPE_CHECKING:
    from diarist.server.house import House

_ADDRESS = "address"


def app_command(
    transcript: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A transcript to open, e.g. meeting.json.", show_default=False),
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its recording, if that is not beside it under the same name."),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="Transcription model.", autocompletion=complete.models)
    ] = "auto",
    diarizer: Annotated[
        str, typer.Option(metavar="MODEL", help="Diarization model.", autocompletion=complete.diarizers)
    ] = "auto",
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")] = "auto",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port to listen on; 0: a free one.")] = 0,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of recordings and transcripts.", envvar="DIARIST_STATE")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser.")] = True,
) -> None:
    """Open the page in a browser: drop recordings, read who said what, hear it, put it right.

    Everything stays on this computer, and is kept until you delete it there. Ctrl-C ends it.

    Examples:
      diarist app

      diarist app meeting.json
    """
    from diarist.places import Wanted, open_place
    from diarist.saved import find_recording, read_transcript, recording_name
    from diarist.server.app import Settings
    from diarist.server.imported import take_in
    from diarist.server.keys import state_folder

    folder = state_folder(state) / "app"
    opened, sound = None, recording
    if transcript is not None:
        opened = read_transcript(str(transcript))
        if sound is None:
            try:
                sound = find_recording(transcript)
            except InputError as error:
                say(f"{error.message} It is opened without sound; --recording FILE says where that is.")
    elif recording is not None:
        raise InputError("no_transcript", "--recording is for a transcript.", "Drop the recording on the page instead.")

    def begin(house: House, address: str) -> None:
        if opened is not None:
            name = sound.name if sound else recording_name(str(transcript))
            address += f"/#/{take_in(house.desk, opened, name, sound)}"
        (folder / _ADDRESS).write_text(address.partition("#")[0])
        say(f"diarist is at {address} in your browser. Ctrl-C ends it.")
        if browser and not webbrowser.open(address):
            say("No browser was found here; open that address yourself.")

    wanted = Wanted(model=model, diarizer=diarizer, device=device)
    settings = Settings(state=folder, keep=parse_keep("audio=ever,text=ever"))
    try:
        run(
            settings,
            lambda progress: open_place("local", wanted, progress=progress, note=say),
            "127.0.0.1",
            port or _port(folder),
            begin=begin,
        )
    except InputError as error:
        if error.code != "state_in_use":
            raise
        if opened is not None:
            raise InputError(
                "state_in_use", "diarist app runs already.", "End it with Ctrl-C, and try again."
            ) from None
        address = (folder / _ADDRESS).read_text()
        say(f"diarist app runs already, at {address}")
        if browser:
            webbrowser.open(address)


def _port(folder: Path) -> int:
    """The port of last time, if it is free: a browser keeps what it has not sent by address. Else 0, for any."""
    try:
        port = int((folder / _ADDRESS).read_text().rstrip("/").rpartition(":")[2])
        socket.create_server(("127.0.0.1", port)).close()
    except (OSError, ValueError, OverflowError):
        return 0
    return port
