"""Commands of card numbers: grant blocks, list them, recover the mark."""

from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_requests import requests_of
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.domain.card_number import CardNumber
from issuer.domain.number_blocks import BlockSupply, NumberBlock
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.rights import Right

__all__ = ["numbers_app"]

_PAGE_ROWS = 500

numbers_app = typer.Typer(help="The card numbers: grant blocks, list them.", rich_markup_mode=None)


@numbers_app.command(
    "grant",
    epilog="""\b
Examples:
  membercard-issuer --home office numbers grant P --from 98.000001 --to 98.050000
""",
)
@needs(Right.ALLOT_NUMBERS, at="committee")
def grant_command(
    context: typer.Context,
    committee: Annotated[str, typer.Argument(help="The code of the committee that decides.")],
    *,
    first: Annotated[str, typer.Option("--from", help="The lowest number of the block.")],
    last: Annotated[str, typer.Option("--to", help="The highest number of the block.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Grant a committee a block of card numbers, from which its decisions are served."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        block = requests_of(opened).numbers.grant(
            parse_organisation_code(committee),
            first=opened.scheme.parse(first),
            last=opened.scheme.parse(last),
            actor=actor,
        )
    if output_format is OutputFormat.JSON:
        print_json({"block_id": str(block.block_id), "numbers": block.left})
    else:
        standard_output().print(f"{block.left} numbers granted to {block.committee}.", markup=False)


@numbers_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office numbers list
  membercard-issuer --home office numbers list --format json
""",
)
@needs(Right.READ_ORGANISATIONS, by_use_case=True)
def list_numbers_command(
    context: typer.Context, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List the blocks of those committees that one may see, how many numbers they still hold, and how the mark outside the database stands."""
    actor = command_context(context).actor
    blocks: list[NumberBlock] = []
    supplies: dict[OrganisationCode, BlockSupply] = {}
    with open_register_home(command_context(context).home) as opened:
        display, office = opened.scheme.display, requests_of(opened)
        mark = office.numbers.compare()
        behind: CardNumber | None = None
        while not blocks or behind is not None:
            page = office.looking_at_numbers.page(actor=actor, limit=_PAGE_ROWS, behind=behind)
            blocks += page.blocks
            supplies |= page.supplies
            behind = page.end
            if not page.blocks:
                break
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "mark": mark.value,
                "supplies": {code: supplies[code].value for code in sorted(supplies)},
                "blocks": [
                    {
                        "block_id": str(each.block_id),
                        "committee": each.committee,
                        "first": display(each.first),
                        "last": display(each.last),
                        "left": each.left,
                        "granted_at": each.granted_at.isoformat(),
                        "granted_by": each.granted_by,
                    }
                    for each in blocks
                ],
            }
        )
        return
    print_table(
        ("Committee", "From", "To", "Left", "Supply"),
        (
            (
                each.committee,
                display(each.first),
                display(each.last),
                str(each.left),
                supplies[each.committee].value,
            )
            for each in blocks
        ),
    )
    standard_output().print(f"The mark is {mark}.")


@numbers_app.command(
    "recover",
    epilog="""\b
Examples:
  membercard-issuer --home office numbers recover --skip 5000
""",
)
@needs(Right.ALLOT_NUMBERS)
def recover_command(
    context: typer.Context,
    *,
    skip: Annotated[
        int,
        typer.Option(min=1, help="More numbers than can have been given out since the backup."),
    ],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write the mark of card numbers anew after it was lost: the next SKIP numbers of each block are never used."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        left = requests_of(opened).numbers.recover(skip=skip, actor=actor)
    if output_format is OutputFormat.JSON:
        print_json({"left": left})
    else:
        standard_output().print(f"The mark is written; {left} numbers are left.")
