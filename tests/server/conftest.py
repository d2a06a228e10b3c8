"""Real servers on real sockets: applications behind the door, in a thread of their own."""

import asyncio
import socket
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn


@contextmanager
def serving(app, **settings):
    """Serve an ASGI application on 127.0.0.1; gives its port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1, **settings))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def serve():
    """Serve an application for one test: ``serve(app)`` gives its port."""
    with ExitStack() as stack:
        yield lambda app, **settings: stack.enter_context(serving(app, **settings))
