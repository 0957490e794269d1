"""Commands of destruction: one witness names the chips, another one confirms."""

import uuid
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_stock import stock_of
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json_list,
    print_table,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.cli_stock_serials import (
    ListOption,
    SerialsArgument,
    SiteOption,
    chosen_serials,
    write_paper,
)
from issuer.domain.rights import Right
from issuer.domain.stock_account import FIRST_STORE, parse_site_code
from issuer.domain.stock_acts import DestructionId
from issuer.papers.stock_pdf import destruction_pdf

__all__ = ["destruction_app"]

destruction_app = typer.Typer(
    help="The destruction of spoiled chips before two witnesses.", rich_markup_mode=None
)

DestructionArgument = Annotated[
    uuid.UUID,
    typer.Argument(metavar="DESTRUCTION", help="As stock destruction propose names it."),
]


@destruction_app.command(
    "propose",
    epilog="""\b
Examples:
  membercard-issuer --home office stock destruction propose --list spoiled.csv --manner "shredded"
""",
)
@needs(Right.DESTROY_CARDS, by_use_case=True)
def propose_command(
    context: typer.Context,
    serials: SerialsArgument = None,
    *,
    manner: Annotated[str, typer.Option(help="How they were destroyed.")],
    file: ListOption = None,
    site: SiteOption = FIRST_STORE,
) -> None:
    """As the first witness, name the chips that were destroyed."""
    with open_register_home(command_context(context).home) as opened:
        made = stock_of(opened.register).destructions.witness(
            chosen_serials(serials, file),
            site=parse_site_code(site),
            manner=manner,
            actor=command_context(context).actor,
        )
    standard_output().print(
        f"Destruction {made.destruction.destruction_id} of {made.destruction.chips} chips waits for"
        " its second witness.",
        markup=False,
    )


@destruction_app.command(
    "confirm",
    epilog="""\b
Examples:
  membercard-issuer --home office stock destruction confirm 6a1f... --chips 2 --protocol protocol.pdf
""",
)
@needs(Right.DESTROY_CARDS, by_use_case=True)
def confirm_command(
    context: typer.Context,
    destruction: DestructionArgument,
    *,
    chips: Annotated[int, typer.Option(min=1, help="How many you saw destroyed.")],
    protocol: Annotated[Path | None, typer.Option(help="Write the protocol (PDF) here.")] = None,
) -> None:
    """As the second witness, another person, say that so many chips were destroyed."""
    with open_register_home(command_context(context).home) as opened:
        stock = stock_of(opened.register)
        actor = command_context(context).actor
        made = stock.destructions.confirm(DestructionId(destruction), chips=chips, actor=actor)
        if protocol is not None:
            site = stock.room.site(made.destruction.site, actor=actor)
            write_paper(protocol, destruction_pdf(made, site))
    standard_output().print(f"{made.destruction.chips} chips are destroyed.")


@destruction_app.command(
    "withdraw",
    epilog="""\b
Examples:
  membercard-issuer --home office stock destruction withdraw 6a1f...
""",
)
@needs(Right.DESTROY_CARDS, by_use_case=True)
def withdraw_command(context: typer.Context, destruction: DestructionArgument) -> None:
    """Say that a proposed destruction did not take place."""
    with open_register_home(command_context(context).home) as opened:
        stock_of(opened.register).destructions.withdraw(
            DestructionId(destruction), actor=command_context(context).actor
        )
    standard_output().print("The destruction is withdrawn.")


@destruction_app.command(
    "protocol",
    epilog="""\b
Examples:
  membercard-issuer --home office stock destruction protocol 6a1f... --out protocol.pdf
""",
)
@needs(Right.READ_STOCK, by_use_case=True)
def protocol_command(
    context: typer.Context,
    destruction: DestructionArgument,
    *,
    out: Annotated[Path, typer.Option(help="Where to write the PDF.")],
) -> None:
    """Write the protocol of a destruction, as it stands now."""
    with open_register_home(command_context(context).home) as opened:
        stock = stock_of(opened.register)
        actor = command_context(context).actor
        made = stock.destructions.show(DestructionId(destruction), actor=actor)
        site = stock.room.site(made.destruction.site, actor=actor)
    write_paper(out, destruction_pdf(made, site))
    standard_output().print(f"The protocol is in {out}.", markup=False)


@destruction_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office stock destruction list
""",
)
@needs(Right.READ_STOCK, by_use_case=True)
def list_destructions_command(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List destructions, the newest first."""
    with open_register_home(command_context(context).home) as opened:
        found = stock_of(opened.register).destructions.newest(
            actor=command_context(context).actor, limit=limit
        )
    if output_format is OutputFormat.JSON:
        print_json_list(
            {
                "destruction": str(each.destruction_id),
                "site": each.site,
                "state": each.state.value,
                "manner": each.manner,
                "chips": each.chips,
                "serials": each.digest.hex(),
                "first_witness": each.first_witness,
                "first_at": each.first_at.isoformat(),
                "second_witness": each.second_witness,
                "second_at": None if each.second_at is None else each.second_at.isoformat(),
            }
            for each in found
        )
        return
    print_table(
        ("Site", "State", "Chips", "First witness", "Second witness", "Destruction"),
        (
            (
                each.site,
                each.state.value,
                str(each.chips),
                each.first_witness,
                each.second_witness or "",
                str(each.destruction_id),
            )
            for each in found
        ),
    )
