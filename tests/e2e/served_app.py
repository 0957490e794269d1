"""An application served on a loopback address by a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

__all__ = ["served"]


@contextmanager
def served(app: ASGIApp, *, port: int = 0) -> Iterator[str]:
    """Its address while it is served."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, ws="none", lifespan="off", log_level="critical")
    )
    ready = threading.Event()
    startup = server.startup

    async def start(**more: object) -> None:
        await startup(**more)  # type: ignore[arg-type]
        ready.set()

    server.startup = start  # type: ignore[method-assign,assignment]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert ready.wait(20)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
