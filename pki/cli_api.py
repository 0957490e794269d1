"""Commands of the HTTP API."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pki.bootstrap_service import open_service_database, require_current_schema
from pki.cli_context import command_context
from pki.cli_service import DatabaseFileOption, DatabaseOption

__all__ = ["api_app"]

api_app = typer.Typer(help="The HTTP API for operators and terminals.", rich_markup_mode=None)


@api_app.command(
    "serve",
    epilog="""\b
Examples:
  membercard-pki --home pki api serve --socket /run/membercard-api/api.sock --signer-socket /run/membercard/signer.sock
  membercard-pki --home pki api serve --socket /run/membercard-api/api.sock --nginx
""",
)
def api_serve(
    context: typer.Context,
    *,
    socket_path: Annotated[
        Path,
        typer.Option(
            "--socket", help="The Unix socket; its directory has mode 0750 or less, or is made."
        ),
    ],
    signer_socket: Annotated[
        Path | None,
        typer.Option(help="The signer process's socket; absent: no terminal is renewed here."),
    ] = None,
    allow_uid: Annotated[
        list[int] | None,
        typer.Option(help="The proxy's user, which alone is served; our own user if absent."),
    ] = None,
    nginx: Annotated[
        bool,
        typer.Option(
            "--nginx",
            help="The proxy hands the certificate over as nginx writes it, in X-Client-Cert-Escaped; "
            "absent: as RFC 9440 says, in Client-Cert.",
        ),
    ] = False,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
) -> None:
    """Serve the API on a Unix socket, behind a proxy that ends TLS, until interrupted; no key is opened."""
    # Imported here: only this command needs the web framework.
    from pki.api.ports import CertificateHeader  # noqa: PLC0415 - see above
    from pki.bootstrap_api import serve  # noqa: PLC0415 - see above

    def ready() -> None:
        sys.stdout.write(f"ready: {socket_path}\n")
        sys.stdout.flush()

    home = command_context(context).home
    with open_service_database(home, url=database, url_file=database_file) as service:
        require_current_schema(service)
        serve(
            service,
            socket_path,
            allowed_uids=frozenset(allow_uid or {os.geteuid()}),
            signer_socket=signer_socket,
            header=CertificateHeader.NGINX_ESCAPED if nginx else CertificateHeader.CLIENT_CERT,
            on_ready=ready,
        )


@api_app.command(
    "describe",
    epilog="""\b
Examples:
  membercard-pki api describe
""",
)
def api_describe() -> None:
    """Print the description of the API (OpenAPI 3.1)."""
    from pki.bootstrap_api import api_description  # noqa: PLC0415 - only here, as above

    sys.stdout.write(api_description())
