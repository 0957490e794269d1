"""Commands of cards: ``cards list`` and ``print-data``; they are made and handed over by batches."""

from collections import Counter
from datetime import datetime
from typing import Annotated

import typer

from issuer.bootstrap_production import (
    open_production_office,
)
from issuer.cli_card_dossier import card_dossier_app
from issuer.cli_card_validity import card_validity_app
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json_list,
    print_table,
    standard_error,
)
from issuer.cli_print_data import print_data_app
from issuer.cli_rights import needs
from issuer.domain.card import CardState
from issuer.domain.rights import Right

__all__ = ["cards_app"]

_REFUSED = 1

cards_app = typer.Typer(
    help="The cards: list, print, and what becomes of them in their members' hands.",
    rich_markup_mode=None,
)

# Without a name of their own, these become commands of the same object.
cards_app.add_typer(card_validity_app)
cards_app.add_typer(card_dossier_app)
cards_app.add_typer(print_data_app)


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


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
