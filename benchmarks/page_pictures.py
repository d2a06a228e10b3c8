"""Take docs/page.png and docs/page-dark.png: the sample call on the page, being corrected.

python benchmarks/page_pictures.py docs
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from diarist.engines import load
from diarist.server.app import Server, Settings
from diarist.weights.fetch import ensure


def take(browser: Browser, address: str, job: str, scheme: str, path: Path) -> None:
    """Show the transcript as somebody works on it, and take the picture."""
    view = {"width": 1280, "height": 800}
    with browser.new_context(base_url=address, viewport=view, color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(f"/#/{job}")
        page.locator(".paper p", has_text="Sheila").wait_for()
        page.wait_for_timeout(500)
        page.get_by_role("slider", name="Position").evaluate(
            "slider => { slider.value = 15; slider.dispatchEvent(new Event('input')) }"
        )
        page.locator(".paper p", has_text="This is Diane").dblclick()
        page.wait_for_timeout(300)
        page.screenshot(path=path)


def main() -> None:
    with tempfile.TemporaryDirectory() as state, socket.create_server(("127.0.0.1", 0)) as listening:
        made = Server(Settings(state=Path(state)), lambda _: load("whisper-base", "embedded"))
        server = uvicorn.Server(uvicorn.Config(made.app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=address, timeout=60) as client:
            while client.get("/health").status_code != 200:
                time.sleep(0.2)
            call = (ensure("sample-telephone") / "sample.wav").read_bytes()
            job = client.post("/v1/jobs", files={"file": ("call.wav", call)}, data={"model": "diarist"}).json()["id"]
            while client.get(f"/v1/jobs/{job}").json()["status"] != "completed":
                time.sleep(0.2)
            names = [{"op": "rename", "names": {"SPEAKER_00": "Sheila", "SPEAKER_01": "Diane"}}]
            client.post(f"/v1/jobs/{job}/edits", content=json.dumps({"operations": names}), headers={"if-match": '"0"'})
        with sync_playwright() as driver:
            chromium = next(found for name in ("chromium", "google-chrome") if (found := shutil.which(name)))
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            take(browser, address, job, "light", Path(sys.argv[1]) / "page.png")
            take(browser, address, job, "dark", Path(sys.argv[1]) / "page-dark.png")
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
