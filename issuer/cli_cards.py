"""Commands of cards: ``cards list`` and ``print-data``; they are made and handed over by batches."""

import csv
import os
import secrets
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from card_layout.files.data_group_1 import DataGroup1
from issuer.bootstrap_production import (
    ProductionHome,
    open_production_office,
)
from issuer.cli_card_dossier import card_dossier_app
from issuer.cli_card_validity import card_validity_app
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_json_list,
    print_table,
    standard_error,
    standard_output,
)
from issuer.cli_production_home import opened_production
from issuer.cli_rights import needs
from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.card import CardState
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerUnavailableError

__all__ = ["cards_app"]

_REFUSED = 1
_PRINT_DATA_COLUMNS = ("classification", "serial", "card_number", "can", "mrz")
_CLASSIFICATION = "SECRET"
_PRINTABLE_STATES = tuple(
    state
    for state in CardState
    if state not in (CardState.BOUND, CardState.CONDEMNED, CardState.HANDED_OVER)
)

cards_app = typer.Typer(
    help="The cards: list, print, and what becomes of them in their members' hands.",
    rich_markup_mode=None,
)

# Without a name of their own, these become commands of the same object.
cards_app.add_typer(card_validity_app)
cards_app.add_typer(card_dossier_app)


@cards_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office cards list
  membercard-issuer --home office cards list --state issued --format json
""",
)
@needs(Right.READ_CARDS, by_use_case=True)
def list_cards_command(
    context: typer.Context,
    state: Annotated[list[CardState] | None, typer.Option(help="Only cards in this state.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List the cards of one's own part of the tree, in the order in which they were bound."""
    actor = command_context(context).actor
    with open_production_office(command_context(context).home) as office:
        lines = office.cards.lines(states=state, below=actor.roots(Right.READ_CARDS))
        display = office.scheme.display
    if output_format is OutputFormat.JSON:
        print_json_list(
            {
                "serial": line.card.serial.hex().upper(),
                "card_number": display(line.card_number),
                "state": line.card.state.value,
                "reference": line.card.reference.hex(),
                "ordinal": line.card.ordinal,
                "profile": line.card.profile,
                "status_list": line.card.status.list_id.hex(),
                "status_index": line.card.status.index,
                "issued_at": _moment(line.card.issued_at),
                "handed_over_at": _moment(line.card.handed_over_at),
                "handed_over_to": line.card.handed_over_to,
                "condemned_for": line.card.condemned_for,
            }
            for line in lines
        )
        return
    print_table(
        ("Card number", "Serial", "State", "Reference"),
        (
            (
                display(line.card_number),
                line.card.serial.hex().upper(),
                line.card.state.value,
                line.card.reference.hex(),
            )
            for line in lines
        ),
    )
    states = Counter(line.card.state.value for line in lines)
    standard_error().print(", ".join(f"{count} {state}" for state, count in states.items()))


@cards_app.command(
    "print-data",
    epilog="""\b
Examples:
  membercard-issuer --home office cards print-data print.csv
""",
)
@needs(Right.PRODUCE_CARDS, by_use_case=True)
def print_data_command(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The csv file to write.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write what the card printer needs of every signed card of one's own part of the tree: serial, CAN, MRZ.

    The file is SECRET until the cards are handed over: with it anybody can open the chips.
    It can be read by its owner only; destroy it when the cards are printed.
    """
    actor = command_context(context).actor
    with opened_production(context) as home:
        count = _write_privately(out, _print_data(home, actor))
        with home.opened.register.writing() as transaction:
            transaction.audit.append(
                AuditRecord(
                    at=datetime.now(UTC),
                    account=actor.account,
                    action="card.secrets-shown",
                    subject=AuditSubject.SERVICE,
                    subject_id="print-data",
                    details={"cards": count},
                )
            )
    if output_format is OutputFormat.JSON:
        print_json({"cards": count, "file": str(out)})
    else:
        standard_output().print(f"{count} cards written to {out}, which is SECRET.", markup=False)


def _print_data(home: ProductionHome, actor: Actor) -> Iterable[tuple[str, ...]]:
    below = actor.roots(Right.PRODUCE_CARDS)
    for line in home.cards.lines(states=_PRINTABLE_STATES, below=below, with_secrets=True):
        job = home.cards.job(line.card.reference)
        mrz = DataGroup1.from_bytes(job.contents["EF.DG1"]).mrz
        yield (
            _CLASSIFICATION,
            line.card.serial.hex().upper(),
            home.opened.scheme.display(line.card_number),
            job.secrets.can,
            mrz.to_text(),
        )


def _write_privately(out: Path, rows: Iterable[tuple[str, ...]]) -> int:
    """Write a csv file that is complete or not there at all, and never readable by others."""
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(8)}")
    count = 0
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(_PRINT_DATA_COLUMNS)
                for row in rows:
                    writer.writerow(row)
                    count += 1
                file.flush()
                os.fsync(descriptor)
            temporary.replace(out)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{out} cannot be written: {error.strerror}", code="print-data.unavailable"
        ) from error
    return count


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
