"""The command ``cards dossier``: everything that ever happened to a card."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.cli_card_names import CardArgument, find_card
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.domain.card_dossier import CardDossier
from issuer.domain.rights import Right
from issuer.errors import IssuerUnavailableError
from issuer.papers.card_dossier_pdf import dossier_pdf
from issuer.services.card_dossiers import DossierReading
from pki.durable import replace_file

__all__ = ["card_dossier_app"]

card_dossier_app = typer.Typer(rich_markup_mode=None)


@card_dossier_app.command(
    "dossier",
    epilog="""\b
Examples:
  membercard-issuer --home office cards dossier 98.000017
  membercard-issuer --home office cards dossier 00000000000000000017 --pdf dossier.pdf --json dossier.json
""",
)
@needs(Right.READ_CARDS, by_use_case=True)
def dossier_command(
    context: typer.Context,
    card: CardArgument,
    *,
    pdf: Annotated[Path | None, typer.Option(help="Where it is written for people.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Where it is written for programs.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show everything that ever happened to a card, and where its keys were made; that it was read is recorded."""
    with open_register_home(command_context(context).home) as home:
        dossier = DossierReading(register=home.register, clock=_now).read(
            find_card(home.register, home.scheme, card), actor=command_context(context).actor
        )
    if json_file is not None:
        text = json.dumps(dossier.document(), ensure_ascii=False, indent=1)
        _write(json_file, f"{text}\n".encode())
    if pdf is not None:
        _write(pdf, dossier_pdf(dossier))
    if output_format is OutputFormat.JSON:
        print_json(dossier.document())
    elif pdf is None and json_file is None:
        _print(dossier)


def _print(dossier: CardDossier) -> None:
    chip, validity = dossier.chip, dossier.validity
    facts = [
        ("Card", dossier.card.reference.hex()),
        ("Chip", dossier.card.serial.hex().upper()),
        ("State", dossier.card.state.value),
        ("Counts as", validity.state.label),
        ("Ended for", validity.end or "-"),
        ("Published as", dossier.published_as.label),
        ("Key made", f"{chip.key_origin or '-'} at {chip.key_station or '-'}"),
        ("Delivery", chip.delivery),
    ]
    for name, value in facts:
        standard_output().print(f"{name}: {value}", markup=False, soft_wrap=True)
    print_table(
        ("Time (UTC)", "Record", "Event", "By", "Detail"),
        (
            (
                f"{event.at:%Y-%m-%d %H:%M:%S}",
                event.room.value,
                event.what,
                " ".join(each for each in (event.account, event.station) if each),
                " ".join(each for each in (event.code, event.detail) if each),
            )
            for event in dossier.events
        ),
    )


def _write(path: Path, content: bytes) -> None:
    try:
        replace_file(path, content)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be written: {error.strerror}", code="card.dossier-unwritable"
        ) from error


def _now() -> datetime:
    return datetime.now(UTC)
