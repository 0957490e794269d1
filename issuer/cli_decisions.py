"""Commands of decisions: create, confirm, drop, list, show, and the authorisation for the signer."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_requests import requests_of
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_json_list,
    print_table,
    standard_output,
)
from issuer.cli_request_output import conclude, walk_requests
from issuer.cli_rights import needs
from issuer.domain.calendar_date import parse_date
from issuer.domain.decisions import (
    Decision,
    DecisionId,
    parse_decision_id,
    parse_decision_number,
)
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.requests import RequestState, parse_request_id
from issuer.domain.rights import Right
from issuer.domain.signed_document import MAX_DOCUMENT_BYTES
from issuer.errors import IssuerUnavailableError
from issuer.services.authorise_batch import AuthorisationTerms
from issuer.services.decision_desk import demand_right
from issuer.services.prepare_decisions import DecisionDraft
from issuer.services.request_ports import RequestQuestion
from issuer.storage.durable import write_durably
from pki.signed.authorisation import MAX_AUTHORISATION_BYTES, BatchAuthorisation

__all__ = ["decisions_app"]

_PAGE_ROWS = 100

decisions_app = typer.Typer(
    help="Decisions on requests: create, confirm, list, show.", rich_markup_mode=None
)
authorisation_app = typer.Typer(
    help="The authorisation by two that the signer demands.", rich_markup_mode=None
)
decisions_app.add_typer(authorisation_app, name="authorisation")

DecisionArgument = Annotated[str, typer.Argument(help="The identifier of the decision.")]


@decisions_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-issuer --home office decisions create --number 12-QD/TU --date 2026-11-20 --committee P --document 12.pdf --all
""",
)
@needs(Right.DECIDE, at="committee")
def create_command(
    context: typer.Context,
    request: Annotated[
        list[str] | None, typer.Argument(metavar="[REQUEST]...", help="Identifiers of requests.")
    ] = None,
    *,
    number: Annotated[str, typer.Option(help="The number that the document bears.")],
    decided_on: Annotated[str, typer.Option("--date", help="Its date.")],
    committee: Annotated[str, typer.Option(help="The code of the committee that decided.")],
    document: Annotated[Path, typer.Option(help="The signed decision, a PDF file.")],
    every: Annotated[
        bool, typer.Option("--all", help="Every compiled request on which the committee decides.")
    ] = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Prepare a decision: keep its document, and put compiled requests into it; another person confirms it.

    Repeated with the same words it goes on. The exit status is 1 where a request is refused.
    """
    if every == bool(request):
        raise typer.BadParameter("give either --all or identifiers")
    actor = command_context(context).actor
    draft = DecisionDraft(
        number=parse_decision_number(number),
        decided_on=_day(decided_on),
        committee=parse_organisation_code(committee),
        document=_read(document, MAX_DOCUMENT_BYTES + 1),
    )
    with open_register_home(command_context(context).home) as opened:
        office = requests_of(opened)
        if every:
            question = RequestQuestion(states={RequestState.COMPILED}, below={draft.committee})
            wanted = [each.request_id for each in walk_requests(opened, question)]
        else:
            wanted = [parse_request_id(text) for text in request or ()]
        decision, outcomes = office.preparing.prepare(draft, wanted, actor=actor)
        if output_format is OutputFormat.TEXT:
            standard_output().print(f"Decision {decision.decision_id}", markup=False)
        conclude(outcomes, output_format, what="put into the decision")


@decisions_app.command(
    "confirm",
    epilog="""\b
Examples:
  membercard-issuer --home office decisions confirm 5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10 --requests 120
""",
)
@needs(Right.DECIDE, by_use_case=True)
def confirm_command(
    context: typer.Context,
    decision: DecisionArgument,
    *,
    requests: Annotated[
        int | None, typer.Option(min=1, help="How many requests it holds, as you saw it.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Confirm a decision that another person prepared: its requests are decided, and cards get numbers.

    Repeated, it goes on with what was not decided yet. The exit status is 1 where a request was not.
    """
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        outcomes = requests_of(opened).confirming.confirm(
            parse_decision_id(decision), actor=actor, requests=requests
        )
        conclude(outcomes, output_format, what="decided")


@decisions_app.command(
    "drop",
    epilog="""\b
Examples:
  membercard-issuer --home office decisions drop 5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10
""",
)
@needs(Right.DECIDE, by_use_case=True)
def drop_command(
    context: typer.Context,
    decision: DecisionArgument,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Give up a decision that nobody has confirmed; its requests can stand in another one."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        outcomes = requests_of(opened).preparing.drop(parse_decision_id(decision), actor=actor)
        conclude(outcomes, output_format, what="taken out of the decision")


@decisions_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office decisions list
  membercard-issuer --home office decisions list --format json
""",
)
@needs(Right.READ_REQUESTS, by_use_case=True)
def list_decisions_command(
    context: typer.Context, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List the decisions of one's own part of the tree, the newest first."""
    actor = command_context(context).actor
    committees = actor.roots(Right.READ_REQUESTS)
    found: list[Decision] = []
    with open_register_home(command_context(context).home) as opened:
        behind: DecisionId | None = None
        while True:
            with opened.register.reading() as transaction:
                page = transaction.decisions.page(
                    limit=_PAGE_ROWS, behind=behind, committees=committees
                )
            found += page
            if len(page) < _PAGE_ROWS:
                break
            behind = page[-1].decision_id
    if output_format is OutputFormat.JSON:
        print_json_list(_as_json(each) for each in found)
        return
    print_table(
        ("Decision", "Number", "Date", "Committee", "State", "Requests"),
        (
            (
                str(each.decision_id),
                each.number,
                each.decided_on.isoformat(),
                each.committee,
                each.state.value,
                str(each.requests),
            )
            for each in found
        ),
    )


@decisions_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office decisions show 5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10
  membercard-issuer --home office decisions show 5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10 --document-to 12.pdf
""",
)
@needs(Right.READ_REQUESTS, by_use_case=True)
def show_decision_command(
    context: typer.Context,
    decision: DecisionArgument,
    *,
    document_to: Annotated[
        Path | None, typer.Option(help="Write the document to this file, too.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show a decision: who prepared and confirmed it, its document, and how its requests stand."""
    actor = command_context(context).actor
    decision_id = parse_decision_id(decision)
    with open_register_home(command_context(context).home) as opened:
        office = requests_of(opened)
        with opened.register.reading() as transaction:
            found = transaction.decisions.get(decision_id)
            demand_right(
                office.preparing.desk,
                transaction,
                actor,
                found.committee,
                right=Right.READ_REQUESTS,
            )
            states = transaction.requests.count(RequestQuestion(decision_id=decision_id))
        if document_to is not None and found.document is not None:
            _write(document_to, office.documents.get(found.document.digest))
    shown = _as_json(found) | {
        "requests_by_state": {state.value: count for state, count in sorted(states.items())}
    }
    if output_format is OutputFormat.JSON:
        print_json(shown)
        return
    print_table(("What", "Value"), ((name, str(value)) for name, value in shown.items()))


@authorisation_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-issuer --home office decisions authorisation create DECISION --signer ds-1 --until 8h --out batch.json
""",
)
@needs(Right.SIGN_BATCHES, by_use_case=True)
def create_authorisation_command(
    context: typer.Context,
    decision: DecisionArgument,
    *,
    signer: Annotated[str, typer.Option(help="The document signer.")],
    until: Annotated[str, typer.Option(help="For how long: 8h, 3d.")],
    out: Annotated[Path, typer.Option(help="The file to be signed by two operators.")],
    chips: Annotated[
        int, typer.Option(min=0, help="Of so many chips the keys may be sealed to stations.")
    ] = 0,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write down for how many cards a decision speaks; operators sign it: membercard-pki authorisation sign."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        made = requests_of(opened).authorising.create(
            parse_decision_id(decision),
            AuthorisationTerms(signer_id=signer, until=_moment(until), chips=chips),
            actor=actor,
        )
    _write(out, made.to_bytes())
    _tell(made, output_format)


@authorisation_app.command(
    "attach-signature",
    epilog="""\b
Examples:
  membercard-issuer --home office decisions authorisation attach-signature DECISION batch.json
""",
)
@needs(Right.SIGN_BATCHES, by_use_case=True)
def attach_signature_command(
    context: typer.Context,
    decision: DecisionArgument,
    file: Annotated[Path, typer.Argument(help="The same file, signed by operators.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take the signatures of a signed authorisation into the register; whose they are the signer judges."""
    actor = command_context(context).actor
    content = _read(file, MAX_AUTHORISATION_BYTES + 1)
    with open_register_home(command_context(context).home) as opened:
        known = requests_of(opened).authorising.attach(
            parse_decision_id(decision), content, actor=actor
        )
    _tell(known, output_format)


@authorisation_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office decisions authorisation show DECISION
  membercard-issuer --home office decisions authorisation show DECISION --out batch.json
""",
)
@needs(Right.READ_REQUESTS, by_use_case=True)
def show_authorisation_command(
    context: typer.Context,
    decision: DecisionArgument,
    *,
    out: Annotated[
        Path | None, typer.Option(help="Write it to this file, for membercard-pki.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show the newest authorisation of a decision, and how many signatures it has."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        known = requests_of(opened).authorising.newest(parse_decision_id(decision), actor=actor)
    if out is not None:
        _write(out, known.to_bytes())
    _tell(known, output_format)


def _tell(authorisation: BatchAuthorisation, output_format: OutputFormat) -> None:
    shown: dict[str, object] = {
        "digest": authorisation.digest.hex(),
        "batch": authorisation.batch.hex(),
        "signer": authorisation.signer_id,
        "cards": authorisation.cards,
        "chips": authorisation.chips,
        "until": authorisation.until.isoformat(),
        "signatures": len(authorisation.signatures),
    }
    if output_format is OutputFormat.JSON:
        print_json(shown)
    else:
        print_table(("What", "Value"), ((name, str(value)) for name, value in shown.items()))


def _as_json(decision: Decision) -> dict[str, object]:
    document, confirmed_at = decision.document, decision.confirmed_at
    return {
        "decision_id": str(decision.decision_id),
        "number": decision.number,
        "decided_on": decision.decided_on.isoformat(),
        "committee": decision.committee,
        "state": decision.state.value,
        "requests": decision.requests,
        "version": decision.version,
        "document": None if document is None else document.digest.hex(),
        "document_signature": None if document is None else document.signature.value,
        "prepared_by": decision.prepared_by,
        "prepared_at": decision.prepared_at.isoformat(),
        "confirmed_by": decision.confirmed_by,
        "confirmed_at": None if confirmed_at is None else confirmed_at.isoformat(),
        "dropped_by": decision.dropped_by,
    }


def _day(text: str) -> date:
    return parse_date(text)


def _moment(text: str) -> datetime:
    """So many hours or days from now, in whole seconds."""
    units = {"h": timedelta(hours=1), "d": timedelta(days=1)}
    if text[-1:] not in units or not text[:-1].isdecimal() or len(text) > 4:
        raise typer.BadParameter("expected hours or days: 8h, 3d", param_hint="--until")
    return datetime.now(UTC).replace(microsecond=0) + int(text[:-1]) * units[text[-1]]


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be read: {error.strerror}", code="document.unavailable"
        ) from error


def _write(path: Path, content: bytes) -> None:
    try:
        write_durably(path, content)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be written: {error.strerror}", code="document.unavailable"
        ) from error
