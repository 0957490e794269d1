"""Commands of the status list: ``status publish``, ``show``, ``states`` and ``take``."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import RegisterHome, open_register_home
from issuer.bootstrap_status import publishing_of
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
    standard_error,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.db.status_ledger import SqlStatusLedger
from issuer.domain.rights import Right
from issuer.errors import IssuerUnavailableError
from issuer.services.publication_ports import StatusListIssuer
from issuer.services.publish_status import PublishedStatus, StatusPublishing
from issuer.status_files import ProcessStatusIssuer, SocketStatusIssuer
from pki.bounded_files import read_bounded
from pki.durable import replace_file
from pki.signed.card_states import CardState
from pki.signed.card_states_file import write_states_file
from pki.signed.list_period import MAX_LIST_LIFETIME
from pki.signed.status_list import MAX_STATUS_LIST_BYTES
from pki.trust_directory import TrustDirectory

__all__ = ["status_app"]

_STATUS_CHECK = "status.card"
"""What a policy requires so that terminals look at the list (docs/policy.md)."""

status_app = typer.Typer(
    help="The status list: what every card counts as, said to the world.", rich_markup_mode=None
)

TrustOption = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        help="The trust directory whose status/ gets the list; by default that of the settings.",
    ),
]


@status_app.command(
    "publish",
    epilog="""\b
Examples:
  membercard-issuer --home office status publish
  membercard-issuer --home office status publish --signer-socket /run/membercard/signer --trust /srv/trust
  membercard-issuer --home office status publish --pki pki --pki-pin-file secrets/pki.pin --days 14
""",
)
@needs(Right.OPERATE_SERVICE)
def publish_command(
    context: typer.Context,
    *,
    signer_socket: Annotated[
        Path | None,
        typer.Option(help="The signer process's socket; by default that of the settings."),
    ] = None,
    pki: Annotated[
        Path | None,
        typer.Option(help="The home directory of a PKI whose signer process does not run."),
    ] = None,
    pki_pin_file: Annotated[
        Path | None,
        typer.Option(help="The file of the PKI's PIN; the PKI remembers it where not given."),
    ] = None,
    trust: TrustOption = None,
    days: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_LIST_LIFETIME.days,
            help="When the next one comes at the latest; by default that of the settings.",
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read every card anew, not only what changed.")
    ] = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Have the next status list signed, and put it with its delta where terminals get it."""
    with _opened(context, trust) as (home, publishing):
        socket = signer_socket or (None if pki else home.settings.status.signer_socket)
        if (pki is None) == (socket is None):
            raise typer.BadParameter(
                "give either --pki or --signer-socket, or set status.signer_socket"
            )
        issuer: StatusListIssuer = (
            SocketStatusIssuer(path=socket)
            if socket is not None
            else ProcessStatusIssuer(home=_given(pki), pin_file=pki_pin_file)
        )
        published = publishing.publish(
            issuer,
            actor=command_context(context).actor,
            days=days or home.settings.status.days,
            is_full=full,
        )
        _warn_of_policy(trust or home.settings.status.trust_directory)
    _print_published(published, output_format)


@status_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office status show
  membercard-issuer --home office status show --format json
""",
)
@needs(Right.READ_CARDS)
def show_command(context: typer.Context, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """Show how many cards count as what, and what was published last."""
    with open_register_home(command_context(context).home) as home:
        ledger = SqlStatusLedger(home.database)
        counts, waiting = ledger.counts()
        newest = ledger.newest()
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "cards": {state.label: counts.get(state, 0) for state in CardState},
                "unpublished": waiting,
                "published": None
                if newest is None
                else {
                    "number": newest.number,
                    "this_update": newest.this_update.isoformat(),
                    "next_update": newest.next_update.isoformat(),
                    "sha256": newest.digest.hex(),
                    "changes": newest.changes,
                    "account": newest.account,
                },
            }
        )
        return
    print_table(
        ("Cards that count as", "Number"),
        ((state.label, str(counts.get(state, 0))) for state in CardState),
    )
    standard_output().print(
        "No status list was published yet."
        if newest is None
        else f"Status list {newest.number} of {newest.this_update:%Y-%m-%d %H:%M:%S} UTC, current until "
        f"{newest.next_update:%Y-%m-%d %H:%M:%S} UTC; {waiting} cards have changed since.",
        soft_wrap=True,
    )


@status_app.command(
    "states",
    epilog="""\b
Examples:
  membercard-issuer --home office status states cards.states
""",
)
@needs(Right.OPERATE_SERVICE)
def states_command(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
) -> None:
    """Write what every card counts as, for a signer that is on no wire: `membercard-pki status-list issue`."""
    with _opened(context, None) as (_home, publishing):
        content = write_states_file(publishing.states(actor=command_context(context).actor))
    try:
        replace_file(out, content)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{out} cannot be written: {error.strerror}", code="status.unwritable"
        ) from error


@status_app.command(
    "take",
    epilog="""\b
Examples:
  membercard-issuer --home office status take /media/usb/csca-1.status
""",
)
@needs(Right.OPERATE_SERVICE)
def take_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The list that was signed.")],
    trust: TrustOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Publish a status list that a signer on no wire has signed."""
    content = read_bounded(file, MAX_STATUS_LIST_BYTES)
    with _opened(context, trust) as (home, publishing):
        published = publishing.take(content, actor=command_context(context).actor)
        _warn_of_policy(trust or home.settings.status.trust_directory)
    _print_published(published, output_format)


@contextmanager
def _opened(
    context: typer.Context, trust: Path | None
) -> Iterator[tuple[RegisterHome, StatusPublishing]]:
    with open_register_home(command_context(context).home) as home:
        yield home, publishing_of(home, trust=trust)


def _warn_of_policy(trust: Path | None) -> None:
    """A policy that was written before the first list asks for no status: lost cards would pass beside the newest list."""
    unasked = () if trust is None else TrustDirectory(trust).purposes_without(_STATUS_CHECK)
    if unasked:
        standard_error().print(
            f"warning: policy.toml of {trust} does not require {_STATUS_CHECK} for {', '.join(unasked)}: "
            "terminals accept cards there whatever the list says",
            markup=False,
            soft_wrap=True,
        )


def _print_published(published: PublishedStatus, output_format: OutputFormat) -> None:
    publication = published.publication
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "number": publication.number,
                "this_update": publication.this_update.isoformat(),
                "next_update": publication.next_update.isoformat(),
                "sha256": publication.digest.hex(),
                "changes": publication.changes,
                "full": published.is_full,
                "bytes": len(published.der),
                "delta_bytes": published.delta_bytes,
            }
        )
        return
    standard_output().print(
        f"Status list {publication.number} published: {publication.changes} changes, "
        f"{len(published.der)} bytes, its delta {published.delta_bytes} bytes.",
        soft_wrap=True,
    )


def _given(path: Path | None) -> Path:
    if path is None:
        raise typer.BadParameter("missing", param_hint="--pki")
    return path


def _now() -> datetime:
    return datetime.now(UTC)
