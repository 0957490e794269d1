"""The command that serves the API and the console."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from issuer.api.listeners import loopback_listener, unix_listener
from issuer.api.request_log import log_as_json
from issuer.bootstrap_api import api_description, open_api_services, serve
from issuer.cli_context import command_context
from issuer.cli_rights import needs_no_right

__all__ = ["api_app", "serve_app"]

_PORT: Final = 8321

api_app = typer.Typer(help="The HTTP API: its description.", rich_markup_mode=None)


serve_app = typer.Typer(rich_markup_mode=None)


@serve_app.command(
    "serve",
    epilog="""\b
Examples:
  membercard-issuer --home office serve
  membercard-issuer --home office serve --port 8080 --metrics-port 9464
  membercard-issuer --home office serve --socket /run/membercard/issuer
""",
)
@needs_no_right("it runs without a person, and lets nobody do anything who has not logged in")
def serve_command(
    context: typer.Context,
    *,
    socket: Annotated[
        Path | None,
        typer.Option(help="Serve on this Unix socket, for a proxy with TLS; not on a port."),
    ] = None,
    address: Annotated[str, typer.Option(help="The loopback address to serve on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port to serve on; 0 takes a free one.")
    ] = _PORT,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Give Prometheus the figures at this port of 127.0.0.1."
        ),
    ] = None,
) -> None:
    """Serve the API and the console, until SIGTERM; only this machine can reach it.

    One line "ready: ..." says when. The log is JSON on standard error. TLS is the business of
    a proxy in front; docs/console.md shows one.
    """
    # Jobs and duties begin while the services are opened: what they have to tell is no line of standard output.
    log_as_json()
    with open_api_services(command_context(context).home) as services:
        listening = loopback_listener(address, port) if socket is None else unix_listener(socket)
        with listening as listener:
            if socket is None:
                host = f"[{address}]" if ":" in address else address
                where = f"http://{host}:{listener.getsockname()[1]}"
            else:
                where = str(socket)

            def ready() -> None:
                sys.stdout.write(f"ready: {where}\n")
                sys.stdout.flush()

            serve(services, listener, metrics_port=metrics_port, on_ready=ready)


@api_app.command(
    "describe",
    epilog="""\b
Examples:
  membercard-issuer api describe
""",
)
@needs_no_right("the description holds nothing of the register")
def describe_command() -> None:
    """Print the description of the API (OpenAPI 3.1)."""
    sys.stdout.write(api_description())
