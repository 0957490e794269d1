"""Commands for status lists: ``membercard-pki status-list issue|tokens|show|token|verify|delta|apply``."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from pki.bootstrap import open_authority
from pki.bounded_files import read_bounded
from pki.certificates.anchor_scope import AnchorScopes
from pki.certificates.trust import TrustAnchors
from pki.cli_context import AtOption, PinFileOption, command_context, moment_given
from pki.durable import replace_file
from pki.errors import PkiRefusedError, RecordError
from pki.presentation import Document, FormatOption, OutputFormat, print_document
from pki.services.status_lists import DEFAULT_LIFETIME, IssuedStatusList, StatusListService
from pki.services.status_tokens import DEFAULT_TTL, StatusTokenService
from pki.signed.card_states import CardState
from pki.signed.card_states_file import MAX_STATES_FILE_BYTES, read_states_file
from pki.signed.list_period import MAX_LIST_LIFETIME
from pki.signed.status_list import MAX_STATUS_LIST_BYTES, StatusList
from pki.signed.status_list_delta import MAX_DELTA_BYTES, StatusListDelta
from pki.signed.token_status_list import MAX_TOKEN_BYTES, TokenStatus, TokenStatusList
from pki.trust_directory import TrustDirectory

__all__ = ["status_list_app"]

status_list_app = typer.Typer(
    help="Status lists: what every single card counts as.", rich_markup_mode=None
)

ListArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The status list.")]

_UNKNOWN: Final = "unknown"


@status_list_app.command(
    "issue",
    epilog="""\b
Examples:
  membercard-pki --home pki status-list issue cards.states
  membercard-pki --home pki status-list issue cards.states --days 14 --format json
""",
)
def status_list_issue(
    context: typer.Context,
    states: Annotated[
        Path, typer.Argument(metavar="STATES", help="The states of all cards, from the issuer.")
    ],
    *,
    days: Annotated[
        int,
        typer.Option(
            min=1, max=MAX_LIST_LIFETIME.days, help="When the next one comes at the latest."
        ),
    ] = DEFAULT_LIFETIME.days,
    previous: Annotated[
        Path | None,
        typer.Option(help="The list before, where the home does not have it any more."),
    ] = None,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Sign the next status list, and publish it with its delta in status/ of the home.

    A card that is replaced, lost or revoked never counts again: a file that says so is refused, and nothing is signed.
    """
    read = read_states_file(read_bounded(states, MAX_STATES_FILE_BYTES))
    before = None if previous is None else read_bounded(previous, MAX_STATUS_LIST_BYTES)
    home = command_context(context).home
    with open_authority(home, pin_file=pin_file) as authority:
        issued = StatusListService(authority, home).issue(
            read, lifetime=timedelta(days=days), previous=before
        )
    print_document(_issued_document(issued), output_format)


@status_list_app.command(
    "tokens",
    epilog="""\b
Examples:
  membercard-pki --home pki status-list tokens --base https://status.example/cards
  membercard-pki --home pki status-list tokens --base https://status.example/cards --hours 12
""",
)
def status_list_tokens(
    context: typer.Context,
    *,
    base: Annotated[
        str, typer.Option("--base", help="The https address below which the tokens will be served.")
    ],
    hours: Annotated[
        int, typer.Option(min=1, max=720, help="After how many hours a verifier fetches one anew.")
    ] = DEFAULT_TTL // timedelta(hours=1),
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Say the newest status list again as IETF Token Status Lists, for verifiers of others.

    One token for each list, in status/tokens of the home under the list's identifier; it lives as long as the status
    list does. Serve them as application/statuslist+jwt.
    """
    home = command_context(context).home
    with open_authority(home, pin_file=pin_file) as authority:
        issued = StatusTokenService(authority=authority, shelf=home).issue(
            base, ttl=timedelta(hours=hours)
        )
    print_document(
        {
            "number": issued.status_list.number,
            "tokens": len(issued.tokens),
            "bytes": sum(len(token.token) for token in issued.tokens),
            "expires": _moment(issued.status_list.next_update),
        },
        output_format,
    )


@status_list_app.command(
    "token",
    epilog="""\b
Examples:
  membercard-pki status-list token pki/status/tokens/0123456789abcdef
  membercard-pki status-list token 0123456789abcdef --index 1717 --format json
""",
)
def status_list_token(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The token.")],
    *,
    index: Annotated[
        int | None, typer.Option(min=0, help="Say what the card at this position counts as.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Say what a token says, its signature verified by the certificate that it carries; nobody vouches for that one here."""
    found = TokenStatusList.from_bytes(read_bounded(file, MAX_TOKEN_BYTES))
    document: Document = {
        "uri": found.uri,
        "issued": _moment(found.issued_at),
        "expires": _moment(found.expires_at),
        "signer": found.signer.name,
        "positions": len(found.statuses),
        **{status.label.replace("-", "_"): found.statuses.count(status) for status in TokenStatus},
    }
    if index is not None:
        status = found.find(index)
        document["status"] = _UNKNOWN if status is None else status.label
    print_document(document, output_format)


@status_list_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-pki status-list show pki/status/csca-1.status
  membercard-pki status-list show csca-1.status --reference 0123456789abcdef:1717 --format json
""",
)
def status_list_show(
    file: ListArgument,
    *,
    reference: Annotated[
        str | None,
        typer.Option(metavar="LIST:INDEX", help="Say what the card at this reference counts as."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Say what a status list says; whether anybody vouches for it, `verify` finds out."""
    found = StatusList.from_bytes(read_bounded(file, MAX_STATUS_LIST_BYTES))
    document = _list_document(found)
    if reference is not None:
        list_id, index = _reference(reference)
        state = found.find(list_id, index)
        document["state"] = _UNKNOWN if state is None else state.label
    print_document(document, output_format)


@status_list_app.command(
    "verify",
    epilog="""\b
Examples:
  membercard-pki status-list verify csca-1.status --trust trust
  membercard-pki status-list verify csca-1.status --trust trust --at 2026-11-22T08:00:00Z
""",
)
def status_list_verify(
    file: ListArgument,
    *,
    trust: Annotated[Path, typer.Option("--trust", help="Trust directory.")],
    at: AtOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Verify a list's signature, that a trusted authority certified its signer, and that it is current.

    Exit status: 0 all of it holds, 1 it is not current, 2 it cannot be read or believed.
    """
    directory = TrustDirectory(trust)
    anchors = TrustAnchors.from_bytes(certificates=directory.certificates(), crls=directory.crls())
    bound = directory.policy_anchors()
    found = anchors.admit_status_list(
        read_bounded(file, MAX_STATUS_LIST_BYTES),
        scopes=None if bound is None else AnchorScopes(named=bound),
    )
    moment = moment_given(at)
    if not found.this_update <= moment <= found.next_update:
        raise PkiRefusedError(
            f"status list {found.number} is current from {_moment(found.this_update)} to "
            f"{_moment(found.next_update)}, got {_moment(moment)}",
            code="status-list.not-current",
        )
    print_document(_list_document(found), output_format)


@status_list_app.command(
    "delta",
    epilog="""\b
Examples:
  membercard-pki status-list delta --base monday.status --list friday.status --output week.delta
""",
)
def status_list_delta(
    *,
    base: Annotated[Path, typer.Option("--base", help="The list that terminals have.")],
    later: Annotated[Path, typer.Option("--list", help="The list that they are to have.")],
    output: Annotated[Path, typer.Option("--output", help="Where to write the delta.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write what leads from one list to a later one; the later list's signature is the delta's."""
    earlier = StatusList.from_bytes(read_bounded(base, MAX_STATUS_LIST_BYTES))
    wanted = StatusList.from_bytes(read_bounded(later, MAX_STATUS_LIST_BYTES))
    delta = StatusListDelta.between(earlier, wanted)
    _write(output, delta.to_bytes())
    print_document(
        {
            "base_number": delta.base_number,
            "number": delta.number,
            "bytes": len(delta.to_bytes()),
        },
        output_format,
    )


@status_list_app.command(
    "apply",
    epilog="""\b
Examples:
  membercard-pki status-list apply week.delta --base monday.status --output friday.status
""",
)
def status_list_apply(
    delta: Annotated[Path, typer.Argument(metavar="DELTA", help="The delta.")],
    *,
    base: Annotated[Path, typer.Option("--base", help="The list that it continues.")],
    output: Annotated[Path, typer.Option("--output", help="Where to write the later list.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Apply a delta to the list that it continues; what comes out is the later list, byte for byte."""
    earlier = StatusList.from_bytes(read_bounded(base, MAX_STATUS_LIST_BYTES))
    found = StatusListDelta.from_bytes(read_bounded(delta, MAX_DELTA_BYTES)).apply(earlier)
    _write(output, found.der)
    print_document(_list_document(found), output_format)


def _issued_document(issued: IssuedStatusList) -> Document:
    return {
        **_list_document(issued.status_list),
        "changes": issued.changes,
        "delta_bytes": None if issued.delta is None else len(issued.delta.to_bytes()),
    }


def _list_document(found: StatusList) -> Document:
    counts = found.states.counts()
    return {
        "number": found.number,
        "this_update": _moment(found.this_update),
        "next_update": _moment(found.next_update),
        "sha256": found.fingerprint,
        "bytes": len(found.der),
        "lists": len(found.states.tables),
        "positions": len(found.states),
        **{state.label.replace("-", "_"): counts[state] for state in CardState},
    }


def _reference(text: str) -> tuple[bytes, int]:
    list_id, _, index = text.partition(":")
    try:
        return bytes.fromhex(list_id), int(index)
    except ValueError as error:
        raise typer.BadParameter(
            "expected 16 hexadecimal digits, a colon and a number", param_hint="--reference"
        ) from error


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content, mode=0o644)
    except OSError as error:
        raise RecordError(
            f"{str(path)!r} cannot be written: {error.strerror}", code="status-list.unwritable"
        ) from error


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
