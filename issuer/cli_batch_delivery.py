"""Commands of finished batches: proof sheet, quality control, boxes, dispatch, receipt, hand-over, minutes."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import RegisterHome, open_register_home
from issuer.bootstrap_batches import batches_of
from issuer.cli_batch_output import BatchArgument, batch_as_json, say
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json_list,
    print_table,
    standard_error,
)
from issuer.cli_rights import needs
from issuer.domain.batch import Acknowledgement, AcknowledgementKind, parse_batch_id
from issuer.domain.card_number import CardNumber
from issuer.domain.chip import parse_serial
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import Right
from issuer.errors import IssuerUnavailableError
from issuer.papers.batch_papers import minutes_pdf, packing_list_pdf, proof_sheet_pdf
from issuer.storage.durable import write_durably

__all__ = ["delivery_app"]

_REFUSED = 1
_MAX_SCANNED_BYTES = 1024 * 1024
_MAX_MINUTES_BYTES = 64 * 1024 * 1024
_CARDS_OF_PART = 500

delivery_app = typer.Typer(rich_markup_mode=None)

ScannedOption = Annotated[
    Path | None, typer.Option("--scanned", help="A file with one on each line, or - for stdin.")
]
OutOption = Annotated[Path, typer.Option("--out", help="The PDF file to write.")]


@delivery_app.command(
    "proof",
    epilog="""\b
Examples:
  membercard-issuer --home office batches proof BATCH --out proof.pdf
  membercard-issuer --home office batches proof BATCH --out proof-2.pdf --from 501
""",
)
@needs(Right.FREEZE_BATCHES, by_use_case=True)
def proof_command(
    context: typer.Context,
    batch: BatchArgument,
    *,
    out: OutOption,
    first: Annotated[int, typer.Option("--from", min=1, help="The first card shown.")] = 1,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write the proof sheet of a proposed freeze: every card with its portrait, 500 to a file."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        sheet = batches_of(opened).papers.proof(
            parse_batch_id(batch), actor=actor, first=first, count=_CARDS_OF_PART
        )
        content = proof_sheet_pdf(
            sheet, portrait_of=opened.portraits.get, display=opened.scheme.display
        )
    _write(out, content)
    last = sheet.first + len(sheet.lines) - 1
    say(
        {"proof": sheet.proof.hex(), "first": sheet.first, "last": last, "cards": sheet.cards},
        f"Cards {sheet.first} to {last} of {sheet.cards} written to {out}.\nProof: {sheet.proof.hex()}",
        output_format,
    )


@delivery_app.command(
    "pass",
    epilog="""\b
Examples:
  membercard-issuer --home office batches pass BATCH 00000000000000000001
  membercard-issuer --home office batches pass BATCH --scanned serials.txt
""",
)
@needs(Right.CONTROL_QUALITY, by_use_case=True)
def pass_command(
    context: typer.Context,
    batch: BatchArgument,
    serial: Annotated[
        list[str] | None, typer.Argument(metavar="[SERIAL]...", help="Serials of chips.")
    ] = None,
    *,
    scanned: ScannedOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Pass finished cards by their serials, as another person than whoever made them.

    The exit status is 1 where a card was not passed.
    """
    actor = command_context(context).actor
    serials = [parse_serial(text) for text in _words(serial, scanned)]
    with open_register_home(command_context(context).home) as opened:
        report = batches_of(opened).control.pass_cards(parse_batch_id(batch), serials, actor=actor)
    for each in report.refused:
        _warn(f"chip {each.serial.hex().upper()}: {each.message} [{each.code}]")
    say(
        {
            "passed": report.passed,
            "left": report.left,
            "state": report.state.value,
            "refused": [
                {"serial": each.serial.hex().upper(), "code": each.code, "message": each.message}
                for each in report.refused
            ],
        },
        f"{report.passed} cards passed, {report.left} left; the batch is {report.state}.",
        output_format,
    )
    if report.refused:
        raise typer.Exit(_REFUSED)


@delivery_app.command(
    "pack",
    epilog="""\b
Examples:
  membercard-issuer --home office batches pack BATCH --per-box 250
""",
)
@needs(Right.WRITE_STOCK, by_use_case=True)
def pack_command(
    context: typer.Context,
    batch: BatchArgument,
    *,
    per_box: Annotated[int, typer.Option(min=1, help="At most so many cards in a box.")] = 250,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Put the passed cards of a controlled batch into boxes."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        packed = batches_of(opened).delivery.pack(
            parse_batch_id(batch), cards_of_box=per_box, actor=actor
        )
    say(
        batch_as_json(packed.batch) | {"packed": packed.cards, "boxes": packed.boxes},
        f"{packed.cards} cards in {packed.boxes} boxes.",
        output_format,
    )


@delivery_app.command(
    "packing-list",
    epilog="""\b
Examples:
  membercard-issuer --home office batches packing-list BATCH --out packing-list.pdf
""",
)
@needs(Right.READ_CARDS, by_use_case=True)
def packing_list_command(
    context: typer.Context,
    batch: BatchArgument,
    *,
    out: OutOption,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write the packing list: which card lies in which box; it names nobody."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        packing = batches_of(opened).papers.packing_list(parse_batch_id(batch), actor=actor)
        content = packing_list_pdf(packing, display=opened.scheme.display)
    _write(out, content)
    say(
        {"cards": len(packing.lines), "file": str(out)},
        f"{len(packing.lines)} cards written to {out}.",
        output_format,
    )


@delivery_app.command(
    "dispatch",
    epilog="""\b
Examples:
  membercard-issuer --home office batches dispatch BATCH --carrier "courier 7, van 29-A1"
""",
)
@needs(Right.WRITE_STOCK, by_use_case=True)
def dispatch_command(
    context: typer.Context,
    batch: BatchArgument,
    *,
    carrier: Annotated[str, typer.Option(help="Who carries the boxes.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Give a packed batch to whoever carries it."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        sent = batches_of(opened).delivery.dispatch(
            parse_batch_id(batch), carrier=carrier, actor=actor
        )
    say(batch_as_json(sent), "The batch is on its way.", output_format)


@delivery_app.command(
    "receive",
    epilog="""\b
Examples:
  membercard-issuer --home office batches receive BATCH --scanned numbers.txt
  membercard-issuer --home office batches receive BATCH 98.000001 98.000002
""",
)
@needs(Right.HAND_OVER_CARDS, by_use_case=True)
def receive_command(
    context: typer.Context,
    batch: BatchArgument,
    number: Annotated[
        list[str] | None, typer.Argument(metavar="[NUMBER]...", help="Card numbers.")
    ] = None,
    *,
    scanned: ScannedOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Count a batch in by the numbers of its cards, as often as it takes.

    What is missing is named, and the exit status is 1 until it is found, or reported as lost or stolen.
    """
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        numbers = _numbers(opened, number, scanned)
        report = batches_of(opened).delivery.receive(parse_batch_id(batch), numbers, actor=actor)
        display = opened.scheme.display
    for line in report.missing:
        chip = "" if line.serial is None else line.serial.hex().upper()
        _warn(f"card {display(line.card_number)} of box {line.box} is missing (chip {chip})")
    for each in report.unexpected:
        _warn(f"card {display(each)} is none of this batch")
    say(
        batch_as_json(report.batch)
        | {
            "counted": report.counted,
            "missing": [display(line.card_number) for line in report.missing],
            "unexpected": [display(each) for each in report.unexpected],
        },
        f"{report.counted} cards counted in, {len(report.missing)} missing; "
        f"the batch is {report.batch.state}.",
        output_format,
    )
    if report.missing or report.unexpected:
        raise typer.Exit(_REFUSED)


@delivery_app.command(
    "hand-over",
    epilog="""\b
Examples:
  membercard-issuer --home office batches hand-over BATCH 98.000001 --signed-by member
  membercard-issuer --home office batches hand-over BATCH --scanned numbers.txt --signed-by member --minutes scan.pdf
""",
)
@needs(Right.HAND_OVER_CARDS, by_use_case=True)
def hand_over_batch_command(
    context: typer.Context,
    batch: BatchArgument,
    number: Annotated[
        list[str] | None, typer.Argument(metavar="[NUMBER]...", help="Card numbers.")
    ] = None,
    *,
    signed_by: Annotated[AcknowledgementKind, typer.Option(help="Who signed for the cards.")],
    scanned: ScannedOption = None,
    minutes: Annotated[
        Path | None,
        typer.Option(help="The signed minutes as they were scanned; their digest is kept."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Hand cards of a received batch to their members; from then on the cards count.

    The exit status is 1 where a card was refused.
    """
    actor = command_context(context).actor
    acknowledgement = Acknowledgement(
        kind=signed_by,
        minutes=None
        if minutes is None
        else hashlib.sha256(_read(minutes, _MAX_MINUTES_BYTES)).digest(),
    )
    with open_register_home(command_context(context).home) as opened:
        outcomes = list(
            batches_of(opened).delivery.hand_over(
                parse_batch_id(batch),
                _numbers(opened, number, scanned),
                acknowledgement,
                actor=actor,
            )
        )
        display = opened.scheme.display
    refused = [each for each in outcomes if each.code is not None]
    for each in refused:
        _warn(f"card {display(each.card_number)} refused: {each.message} [{each.code}]")
    say(
        {
            "handed_over": len(outcomes) - len(refused),
            "refused": [
                {"card_number": display(each.card_number), "code": each.code} for each in refused
            ],
        },
        f"{len(outcomes) - len(refused)} cards handed over, {len(refused)} refused.",
        output_format,
    )
    if refused:
        raise typer.Exit(_REFUSED)


@delivery_app.command(
    "minutes",
    epilog="""\b
Examples:
  membercard-issuer --home office batches minutes BATCH --out minutes.pdf
  membercard-issuer --home office batches minutes BATCH --to P-01-03 --out cell.pdf
  membercard-issuer --home office batches minutes BATCH --to P-01-03 --members --out signatures.pdf
""",
)
@needs(Right.HAND_OVER_CARDS, by_use_case=True)
def minutes_command(
    context: typer.Context,
    batch: BatchArgument,
    *,
    out: OutOption,
    to: Annotated[
        str | None,
        typer.Option("--to", help="The organisation that takes them; else the receiver."),
    ] = None,
    members: Annotated[
        bool, typer.Option("--members", help="From there to the members, each of whom signs.")
    ] = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write the minutes of a hand-over: from one level to the next, or from a cell to its members."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        found = batches_of(opened).papers.minutes(
            parse_batch_id(batch),
            actor=actor,
            taker=None if to is None else parse_organisation_code(to),
            to_members=members,
        )
        content = minutes_pdf(found, display=opened.scheme.display)
    _write(out, content)
    say(
        {"cards": len(found.lines), "file": str(out)},
        f"{len(found.lines)} cards written to {out}.",
        output_format,
    )


@delivery_app.command(
    "levels",
    epilog="""\b
Examples:
  membercard-issuer --home office batches levels BATCH
  membercard-issuer --home office batches levels BATCH --format json
""",
)
@needs(Right.HAND_OVER_CARDS, by_use_case=True)
def levels_command(
    context: typer.Context,
    batch: BatchArgument,
    *,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List the organisations that take cards of a batch: for each there are minutes to print."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        found = batches_of(opened).papers.levels(parse_batch_id(batch), actor=actor)
    if output_format is OutputFormat.JSON:
        print_json_list(
            [
                {
                    "organisation": each.code,
                    "name": each.name,
                    "depth": each.depth,
                    "cards": each.cards,
                    "own": each.own,
                }
                for each in found
            ]
        )
    else:
        print_table(
            ("Organisation", "Name", "Cards", "Of its own members"),
            (
                ("  " * each.depth + each.code, each.name, str(each.cards), str(each.own))
                for each in found
            ),
        )


def _numbers(
    opened: RegisterHome, given: list[str] | None, scanned: Path | None
) -> list[CardNumber]:
    return [opened.scheme.parse(text) for text in _words(given, scanned)]


def _words(given: list[str] | None, scanned: Path | None) -> Iterable[str]:
    if bool(given) == (scanned is not None):
        raise typer.BadParameter("give them one by one, or --scanned FILE")
    if scanned is None:
        return given or ()
    content = _read(scanned, _MAX_SCANNED_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise IssuerUnavailableError(
            f"{scanned} is not text in UTF-8", code="file.unavailable"
        ) from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read(path: Path, most: int) -> bytes:
    try:
        if str(path) == "-":
            return typer.get_binary_stream("stdin").read(most)
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be read: {error.strerror}", code="file.unavailable"
        ) from error


def _write(path: Path, content: bytes) -> None:
    try:
        write_durably(path, content)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be written: {error.strerror}", code="file.unavailable"
        ) from error


def _warn(text: str) -> None:
    standard_error().print(text, markup=False, soft_wrap=True)
