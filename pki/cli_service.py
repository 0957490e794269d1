"""Commands of the service: its database, operators' requests, and the HTTP API."""

import json
import uuid
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from pki.bootstrap_operators import prove_operator
from pki.bootstrap_service import (
    ServiceDatabase,
    carry_out_request,
    check_database,
    open_service_database,
    rebuild_projection,
    upgrade_database,
)
from pki.cli_context import PinFileOption, command_context
from pki.durable import replace_file
from pki.errors import PkiDataError, RecordError
from pki.presentation import (
    Document,
    FormatOption,
    OutputFormat,
    print_document,
    print_json,
    print_table,
)
from pki.services.operator_identity import ASKING_ROLES, DECIDING_ROLES
from pki.services.operator_requests import Decision, OperatorRequest, RequestState
from pki.services.request_contents import MAX_CONTENT_CHARACTERS, RequestContent, RequestKind

__all__ = ["DatabaseFileOption", "DatabaseOption", "database_app", "request_app"]

_MAX_LISTED = 200

database_app = typer.Typer(
    help="The service's database: requests, and a projection of the journal.",
    rich_markup_mode=None,
)
request_app = typer.Typer(
    help="What operators asked for and decided through the API.", rich_markup_mode=None
)

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="MEMBERCARD_PKI_DATABASE",
        help="URL of the database, without a password; absent: service.sqlite in the home.",
    ),
]
DatabaseFileOption = Annotated[
    Path | None,
    typer.Option("--database-file", help="File with the URL, which may hold a password there."),
]
RequestArgument = Annotated[str, typer.Argument(metavar="ID", help="The request.")]


@database_app.command(
    "upgrade",
    epilog="""\b
Examples:
  membercard-pki --home pki database upgrade
  membercard-pki --home pki database upgrade --database postgresql:///membercard_pki
""",
)
def database_upgrade(
    context: typer.Context,
    *,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make the database or bring it up to date, and follow the journal to its end; repeating it is harmless."""
    home = command_context(context).home
    with open_service_database(home, url=database, url_file=database_file) as service:
        revision = upgrade_database(service)
        position = service.projection.position()
    print_document({"revision": revision, "journal_entries": position.sequence}, output_format)


@database_app.command(
    "check",
    epilog="""\b
Examples:
  membercard-pki database check
  membercard-pki --home pki database check --format json
""",
)
def database_check(
    context: typer.Context,
    *,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Check that the migrations make the program's tables and, with a home, that the database fits its journal."""
    given = command_context(context).given_home
    if given is None:
        check_database(None)
        print_document({"migrations": "complete"}, output_format)
        return
    home = command_context(context).home
    with open_service_database(home, url=database, url_file=database_file) as service:
        position = check_database(service)
    entries = 0 if position is None else position.sequence
    print_document({"migrations": "complete", "journal_entries": entries}, output_format)


@database_app.command(
    "rebuild",
    epilog="""\b
Examples:
  membercard-pki --home pki database rebuild
""",
)
def database_rebuild(
    context: typer.Context,
    *,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make the projection anew from the journal; requests and decisions stay as they are."""
    home = command_context(context).home
    with open_service_database(home, url=database, url_file=database_file) as service:
        position = rebuild_projection(service)
    print_document({"journal_entries": position.sequence}, output_format)


@request_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-pki --home pki request list --state approved
  membercard-pki --home pki request list --format json
""",
)
def request_list(
    context: typer.Context,
    *,
    state: Annotated[
        RequestState | None, typer.Option(help="Only those that are in this state.")
    ] = None,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List the newest requests, at most 200."""
    home = command_context(context).home
    with open_service_database(home, url=database, url_file=database_file) as service:
        service.catch_up()
        found = service.newest_requests(state, limit=_MAX_LISTED)
        documents = [_document(service, each) for each in found]
    if output_format is OutputFormat.JSON:
        print_json(documents)
        return
    table = Table(box=None, pad_edge=False)
    names = ("id", "state", "kind", "requester", "approvers", "expires_at")
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for document in documents:
        table.add_row(*(Text(str(document.get(name, "-"))) for name in names))
    print_table(table)


@request_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-pki --home pki request show 6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f
""",
)
def request_show(
    context: typer.Context,
    request_id: RequestArgument,
    *,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show what was asked for, by whom, and who decided."""
    home, wanted = command_context(context).home, _id(request_id)
    with open_service_database(home, url=database, url_file=database_file) as service:
        service.catch_up()
        request = service.desk.show(wanted)
        document = _document(service, request)
    document["content"] = request.content.to_json()
    document["digest"] = request.content.digest.hex()
    print_document(document, output_format)


OperatorOption = Annotated[str, typer.Option(help="Who asks or decides.")]
OperatorPinOption = Annotated[Path, typer.Option(help="File with the operator's own PIN.")]
KeysOption = Annotated[
    Path | None,
    typer.Option(help="Directory of the operator's key; operators/NAME in the home if absent."),
]


@request_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-pki --home pki request create crl.issue crl.json --operator an --operator-pin-file secrets/an.pin
""",
)
def request_create(
    context: typer.Context,
    kind: Annotated[RequestKind, typer.Argument(help="What is asked for.")],
    content: Annotated[Path, typer.Argument(help="Its fields, as a JSON object (docs/pki.md).")],
    *,
    operator: OperatorOption,
    operator_pin_file: OperatorPinOption,
    keys: KeysOption = None,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Ask for something, as an operator who opens the operator's key here."""
    wanted = RequestContent.from_document(kind.value, _read_json(content))
    home = command_context(context).home
    certificate = prove_operator(home, operator, keys=keys, operator_pin_file=operator_pin_file)
    with open_service_database(home, url=database, url_file=database_file) as service:
        asker = service.operator(certificate, allowed=ASKING_ROLES)
        stored = service.desk.create(wanted, requester=asker.name, key=uuid.uuid4().hex)
        document = _document(service, stored)
    print_document(document, output_format)


@request_app.command(
    "approve",
    epilog="""\b
Examples:
  membercard-pki --home pki request approve 6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f --operator binh --operator-pin-file binh.pin
""",
)
def request_approve(
    context: typer.Context,
    request_id: RequestArgument,
    *,
    operator: OperatorOption,
    operator_pin_file: OperatorPinOption,
    keys: KeysOption = None,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Approve a request of somebody else; read it first with request show."""
    home, wanted = command_context(context).home, _id(request_id)
    certificate = prove_operator(home, operator, keys=keys, operator_pin_file=operator_pin_file)
    with open_service_database(home, url=database, url_file=database_file) as service:
        decided = _decide(service, wanted, certificate, Decision.APPROVE, None)
    print_document(decided, output_format)


@request_app.command(
    "reject",
    epilog="""\b
Examples:
  membercard-pki --home pki request reject 6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f --operator binh --operator-pin-file binh.pin --reason "wrong host"
""",
)
def request_reject(
    context: typer.Context,
    request_id: RequestArgument,
    *,
    operator: OperatorOption,
    operator_pin_file: OperatorPinOption,
    reason: Annotated[str, typer.Option(help="Why; everybody who reads the request sees it.")],
    keys: KeysOption = None,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Reject a request of somebody else; that ends it."""
    home, wanted = command_context(context).home, _id(request_id)
    certificate = prove_operator(home, operator, keys=keys, operator_pin_file=operator_pin_file)
    with open_service_database(home, url=database, url_file=database_file) as service:
        decided = _decide(service, wanted, certificate, Decision.REJECT, reason)
    print_document(decided, output_format)


@request_app.command(
    "execute",
    epilog="""\b
Examples:
  membercard-pki --home pki request execute 6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f --out card-api.cer
""",
)
def request_execute(
    context: typer.Context,
    request_id: RequestArgument,
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write the certificate or the list that came of it."),
    ] = None,
    pin_file: PinFileOption = None,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Carry out an approved request, once; the people behind it must be in good standing still."""
    home, wanted = command_context(context).home, _id(request_id)
    with open_service_database(home, url=database, url_file=database_file) as service:
        service.catch_up()
        outcome = carry_out_request(service, wanted, pin_file=pin_file)
    if out is not None and outcome.content is not None:
        try:
            replace_file(out, outcome.content, mode=0o644)
        except OSError as error:
            raise RecordError(
                f"{out} cannot be written: {error.strerror}",
                code="file.unwritable",
                hint="it was carried out: what came of it is published in the home",
            ) from error
    print_document(
        {
            "id": str(outcome.request_id),
            "kind": outcome.kind.value,
            "bytes": None if outcome.content is None else len(outcome.content),
        },
        output_format,
    )


def _decide(
    service: ServiceDatabase,
    request_id: uuid.UUID,
    certificate: bytes,
    decision: Decision,
    reason: str | None,
) -> Document:
    operator = service.operator(certificate, allowed=DECIDING_ROLES)
    decided = service.desk.decide(
        request_id,
        decision,
        operator=operator.name,
        reason=reason,
        key=uuid.uuid4().hex,
        version=None,
    )
    return _document(service, decided)


def _read_json(path: Path) -> object:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(MAX_CONTENT_CHARACTERS + 1))
    except (OSError, ValueError, RecursionError) as error:
        raise PkiDataError(
            f"{path} cannot be read as JSON", code="request.content-invalid"
        ) from error


def _document(service: ServiceDatabase, request: OperatorRequest) -> Document:
    return {
        "id": str(request.id),
        "state": request.at(service.now()).value,
        "kind": request.content.kind.value,
        "requester": request.requester,
        "approvers": ", ".join(request.approvers),
        "approvals_due": request.content.approvals,
        "requested_at": f"{request.requested_at:%Y-%m-%dT%H:%M:%SZ}",
        "expires_at": f"{request.expires_at:%Y-%m-%dT%H:%M:%SZ}",
    }


def _id(text: str) -> uuid.UUID:
    try:
        found = uuid.UUID(text)
    except ValueError as error:
        raise PkiDataError(
            f"{text[:40]!r} is no request's identifier", code="request.id-malformed"
        ) from error
    return found
