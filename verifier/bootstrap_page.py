"""The composition root of `terminal run`: a terminal, its page and its interface, served until a signal comes."""

import logging
import threading
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final

from verifier.api.app import create_app
from verifier.api.pairing import PagePairing
from verifier.api.ports import PageServices, ProgramRight
from verifier.api.serving import page_listener, serve_page
from verifier.api.streams import Streams
from verifier.bootstrap_terminal import OpenTerminal, open_terminal, reader_names
from verifier.errors import VerifierError
from verifier.trust.credentials import CredentialsSource
from verifier.trust.terminal_home import TerminalHome, write_page_address

__all__ = ["program_right", "run_terminal"]

logger = logging.getLogger(__name__)

_STOPPING_SECONDS: Final = 15.0
"""A reading that is under way is let end: it takes no longer."""


def run_terminal(
    *,
    reader_name: str,
    trust_directory: Path,
    profile_name: str,
    purpose: str | None,
    credentials: CredentialsSource | None,
    keep_refused: Path | None,
    home: TerminalHome,
    page_file: Path | None,
    host: str,
    port: int,
    announce: Callable[[str], None],
) -> None:
    """Run a terminal until SIGTERM or SIGINT; ``announce`` is given the page's first one-time address.

    Raises:
        VerifierError, CardError: it cannot be started.
    """
    with open_terminal(
        reader_name=reader_name,
        trust_directory=trust_directory,
        home=home,
        profile_name=profile_name,
        purpose=purpose,
        credentials=credentials,
        keep_refused=keep_refused,
    ) as opened:
        listener = page_listener(host, port)
        with listener:
            _serve(
                opened,
                listener_port=listener.getsockname()[1],
                serve=lambda app, on_ready, on_exit: serve_page(
                    app, listener, on_ready=on_ready, on_exit=on_exit
                ),
                host=host,
                page_file=page_file or home.directory / "page",
                announce=announce,
            )


def _serve(
    opened: OpenTerminal,
    *,
    listener_port: int,
    serve: Callable[..., None],
    host: str,
    page_file: Path,
    announce: Callable[[str], None],
) -> None:
    authority = f"[{host}]:{listener_port}" if ":" in host else f"{host}:{listener_port}"
    addresses: list[str] = []

    def publish(token: str) -> None:
        addresses[:] = [f"http://{authority}/pair/{token}"]
        write_page_address(page_file, addresses[0])

    terminal = opened.terminal
    streams = Streams(terminal)
    app = create_app(
        PageServices(
            terminal=terminal,
            terminal_name=opened.name,
            purpose=opened.purpose,
            version=metadata.version("membercard"),
            reader_names=reader_names,
            program_of=lambda token: program_right(opened.home, token),
        ),
        pairing=PagePairing(publish),
        streams=streams,
        authorities=frozenset({authority, f"localhost:{listener_port}"}),
    )
    watching = threading.Thread(target=terminal.run, name="reader", daemon=True)
    watching.start()
    try:
        serve(app, lambda: announce(addresses[0]), streams.close)
    finally:
        terminal.stop()
        watching.join(_STOPPING_SECONDS)
        page_file.unlink(missing_ok=True)


def program_right(home: TerminalHome, token: str) -> ProgramRight | None:
    """The program of a token; ``None`` where it is nobody's, or the list of programs is broken."""
    try:
        program = home.program_of(token)
    except VerifierError as error:
        logger.error("no program is let in: %s", error.code)  # noqa: TRY400 - the code says all
        return None
    if program is None:
        return None
    return ProgramRight(name=program.name, may_see_holder=program.may_see_holder)
