"""Commands of cards: ``cards bind``, ``sign``, ``list``, ``print-data`` and ``hand-over``."""

import csv
import os
import secrets
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from card_layout.files.data_group_1 import DataGroup1
from issuer.bootstrap_production import (
    ProductionHome,
    open_production_office,
    read_authorisation,
)
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
from issuer.domain.chip import parse_serial
from issuer.domain.rights import Right
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.services.hand_over import hand_over_cards
from issuer.services.sign_cards import CardSigning

__all__ = ["cards_app"]

_REFUSED = 1
_PRINT_DATA_COLUMNS = ("classification", "serial", "card_number", "can", "mrz")
_CLASSIFICATION = "SECRET"
_PRINTABLE_STATES = tuple(
    state
    for state in CardState
    if state not in (CardState.BOUND, CardState.CONDEMNED, CardState.HANDED_OVER)
)

cards_app = typer.Typer(help="The cards: bind, sign, list, hand over.", rich_markup_mode=None)

# Without a name of their own, these become commands of the same object.
cards_app.add_typer(card_validity_app)

AllOption = Annotated[bool, typer.Option("--all", help="All that are due.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="At most so many.")]


@cards_app.command(
    "bind",
    epilog="""\b
Examples:
  membercard-issuer --home office cards bind --all
  membercard-issuer --home office cards bind --limit 100
""",
)
@needs(Right.PRODUCE_CARDS)
def bind_command(
    context: typer.Context,
    *,
    every: AllOption = False,
    limit: LimitOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Bind members with a decided request to initialised chips, and draw numbers and secrets.

    The exit status is 1 where members are left for whom there is no chip.
    """
    _require_choice(every=every, limit=limit)
    with opened_production(context) as home:
        report = home.bind(limit=limit)
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "bound": len(report.bound),
                "members_left": report.members_left,
                "chips_left": report.chips_left,
            }
        )
    else:
        standard_output().print(
            f"{len(report.bound)} cards bound; {report.members_left} members and "
            f"{report.chips_left} initialised chips are left."
        )
    if every and report.members_left:
        raise typer.Exit(_REFUSED)


@cards_app.command(
    "sign",
    epilog="""\b
Examples:
  membercard-issuer --home office cards sign --all --signer-socket /run/membercard/signer.sock --authorisation batch.json
  membercard-issuer --home office cards sign --all --pki pki --pki-pin-file secrets/pki.pin --signer ds-1
""",
)
@needs(Right.SIGN_BATCHES)
def sign_command(
    context: typer.Context,
    *,
    signer_socket: Annotated[
        Path | None, typer.Option(help="The socket of the PKI's signer process.")
    ] = None,
    authorisation: Annotated[
        Path | None,
        typer.Option(help="The batch authorisation, signed by two operators; with a socket."),
    ] = None,
    pki: Annotated[
        Path | None,
        typer.Option(help="The home directory of a test PKI, to be signed with in this process."),
    ] = None,
    pki_pin_file: Annotated[
        Path | None,
        typer.Option(help="The file of the PKI's PIN; the PKI remembers it where not given."),
    ] = None,
    signer: Annotated[
        str | None, typer.Option(help="Which document signer; the only one where not given.")
    ] = None,
    every: AllOption = False,
    limit: LimitOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Build the files of every bound card and have them signed, each card once.

    Cards are signed by the PKI's signer process, under an authorisation by two operators. Only a test PKI's
    home can be opened here instead. The exit status is 1 where a card was refused.
    """
    _require_choice(every=every, limit=limit)
    signed = 0
    refused: list[dict[str, str | None]] = []
    with (
        opened_production(context) as home,
        _signing(
            home,
            pki=pki,
            pin_file=pki_pin_file,
            signer_id=signer,
            socket=signer_socket,
            authorisation=authorisation,
        ) as signing,
    ):
        for outcome in signing.sign_all(limit=limit):
            if outcome.code is None:
                signed += 1
            else:
                refused.append(
                    {
                        "reference": outcome.reference.hex(),
                        "code": outcome.code,
                        "message": outcome.message,
                    }
                )
    if output_format is OutputFormat.JSON:
        print_json({"signed": signed, "refused": refused})
    else:
        for each in refused:
            standard_error().print(
                f"card {each['reference']} refused: {each['message']} [{each['code']}]",
                markup=False,
            )
        standard_output().print(f"{signed} cards signed, {len(refused)} refused.")
    if refused:
        raise typer.Exit(_REFUSED)


@cards_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office cards list
  membercard-issuer --home office cards list --state issued --format json
""",
)
@needs(Right.READ_CARDS)
def list_cards_command(
    context: typer.Context,
    state: Annotated[list[CardState] | None, typer.Option(help="Only cards in this state.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List the cards in the order in which they were bound."""
    with open_production_office(command_context(context).home) as office:
        lines = office.cards.lines(states=state)
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
@needs(Right.PRODUCE_CARDS)
def print_data_command(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The csv file to write.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write what the card printer needs of every signed card: serial, CAN, MRZ.

    The file is SECRET until the cards are handed over: with it anybody can open the chips.
    It can be read by its owner only; destroy it when the cards are printed.
    """
    with opened_production(context) as home:
        count = _write_privately(out, _print_data(home))
        with home.opened.register.writing() as transaction:
            transaction.audit.append(
                AuditRecord(
                    at=datetime.now(UTC),
                    account=command_context(context).actor.account,
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


@cards_app.command(
    "hand-over",
    epilog="""\b
Examples:
  membercard-issuer --home office cards hand-over --all --to "cell secretary"
  membercard-issuer --home office cards hand-over --serial 00000000000000000001 --to "cell secretary"
""",
)
@needs(Right.HAND_OVER_CARDS)
def hand_over_command(
    context: typer.Context,
    *,
    to: Annotated[str, typer.Option(help="Who received the cards.")],
    every: Annotated[bool, typer.Option("--all", help="Every issued card.")] = False,
    serial: Annotated[
        list[str] | None, typer.Option(help="The card on this chip; may be repeated.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Record that issued cards were handed over."""
    if every == bool(serial):
        raise typer.BadParameter("give either --all or --serial")
    with open_production_office(command_context(context).home) as office:
        if every:
            found = office.cards.cards(states=[CardState.ISSUED])
        else:
            wanted = {parse_serial(text) for text in serial or ()}
            found = tuple(card for card in office.cards.cards() if card.serial in wanted)
            if len(found) != len(wanted):
                raise IssuerRefusedError(
                    f"{len(wanted) - len(found)} of these chips carry no card", code="card.unknown"
                )
        count = hand_over_cards(
            (card.reference for card in found),
            to=to,
            account=command_context(context).actor.account,
            ledger=office.cards,
        )
    if output_format is OutputFormat.JSON:
        print_json({"handed_over": count})
    else:
        standard_output().print(f"{count} cards handed over.")


def _require_choice(*, every: bool, limit: int | None) -> None:
    if every == (limit is not None):
        raise typer.BadParameter("give either --all or --limit")


def _signing(
    home: ProductionHome,
    *,
    pki: Path | None,
    pin_file: Path | None,
    signer_id: str | None,
    socket: Path | None,
    authorisation: Path | None,
) -> AbstractContextManager[CardSigning]:
    if pki is not None and socket is None and authorisation is None:
        standard_error().print(
            "warning: signing in this process, without an authorisation by two: only test authorities allow it",
            markup=False,
            soft_wrap=True,
        )
        return home.signing(pki=pki, pin_file=pin_file, signer_id=signer_id)
    if pki is None and pin_file is None and signer_id is None and socket and authorisation:
        return home.signing_through(socket, authorisation=read_authorisation(authorisation))
    raise typer.BadParameter(
        "give --signer-socket with --authorisation, or --pki (with --signer, --pki-pin-file)"
    )


def _print_data(home: ProductionHome) -> Iterable[tuple[str, ...]]:
    for line in home.cards.lines(states=_PRINTABLE_STATES):
        job = home.station_ledger.load_job(line.card.reference)
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
