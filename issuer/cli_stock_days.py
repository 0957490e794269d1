"""Commands that close the day of a site: one person counts, another confirms."""

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
    print_json,
    print_json_list,
    print_table,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.cli_stock_serials import SiteOption, read_list, write_paper
from issuer.domain.rights import Right
from issuer.domain.stock_account import FIRST_STORE, StockCount, parse_site_code
from issuer.domain.stock_acts import DayClose, DayCloseId
from issuer.errors import IssuerRefusedError
from issuer.papers.stock_pdf import day_close_pdf
from issuer.services.close_days import CountOutcome
from issuer.services.receive_stock import read_delivery

__all__ = ["day_app"]

day_app = typer.Typer(
    help="The close of a day: count, confirm by another person, protocol.", rich_markup_mode=None
)

CountArgument = Annotated[
    uuid.UUID, typer.Argument(metavar="COUNT", help="The count, as stock day count names it.")
]


@day_app.command(
    "count",
    epilog="""\b
Examples:
  membercard-issuer --home office stock day count --site station-1 --left 83 --spoiled 2 --finished 15
  membercard-issuer --home office stock day count --left 900 --samples 3 --scanned all.csv
""",
)
@needs(Right.WRITE_STOCK, by_use_case=True)
def count_command(
    context: typer.Context,
    *,
    left: Annotated[int, typer.Option(min=0, help="Blanks that lie there.")],
    site: SiteOption = FIRST_STORE,
    spoiled: Annotated[int, typer.Option(min=0, help="Spoiled chips, not yet destroyed.")] = 0,
    samples: Annotated[int, typer.Option(min=0, help="Samples.")] = 0,
    finished: Annotated[int, typer.Option(min=0, help="Finished cards.")] = 0,
    scanned: Annotated[
        Path | None,
        typer.Option(
            help="All serials that lie there (csv, column serial): what is missing is named."
        ),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """State what lies at a site. A count that differs from the records is kept, and closes nothing."""
    with open_register_home(command_context(context).home) as opened:
        outcome = stock_of(opened.register).days.count(
            parse_site_code(site),
            StockCount(finished=finished, spoiled=spoiled, samples=samples, left=left),
            actor=command_context(context).actor,
            scanned=() if scanned is None else read_delivery(read_list(scanned)),
        )
    if output_format is OutputFormat.JSON:
        print_json(
            {
                **_document(outcome.close),
                "missing": [each.hex().upper() for each in outcome.missing],
                "unexpected": [each.hex().upper() for each in outcome.unexpected],
            }
        )
    else:
        _show(outcome)
    if outcome.differences or outcome.missing or outcome.unexpected:
        raise IssuerRefusedError(
            f"the count of site {outcome.close.site} differs from the records",
            code="stock.count-differs",
            hint="look for what is missing, and count again; report what is gone: stock stop report",
        )


def _show(outcome: CountOutcome) -> None:
    out = standard_output()
    out.print(f"Count {outcome.close.close_id} is kept.", markup=False)
    for each in outcome.differences:
        out.print(
            f"{each.stock_class.value}: counted {each.counted}, expected {each.expected}",
            markup=False,
        )
    for serial in outcome.missing:
        out.print(f"missing: {serial.hex().upper()}", markup=False)
    for serial in outcome.unexpected:
        out.print(f"not expected here: {serial.hex().upper()}", markup=False)


@day_app.command(
    "close",
    epilog="""\b
Examples:
  membercard-issuer --home office stock day close 6a1f... --protocol protocol.pdf
""",
)
@needs(Right.CLOSE_DAYS, by_use_case=True)
def close_command(
    context: typer.Context,
    count: CountArgument,
    protocol: Annotated[Path | None, typer.Option(help="Write the protocol (PDF) here.")] = None,
) -> None:
    """Confirm a count that agreed, as another person than who counted; the day is closed."""
    with open_register_home(command_context(context).home) as opened:
        stock = stock_of(opened.register)
        actor = command_context(context).actor
        closed = stock.days.close(DayCloseId(count), actor=actor)
        if protocol is not None:
            site = stock.room.site(closed.site, actor=actor)
            write_paper(protocol, day_close_pdf(closed, site))
    standard_output().print(
        f"Site {closed.site} has closed {closed.day.isoformat()}.", markup=False
    )


@day_app.command(
    "protocol",
    epilog="""\b
Examples:
  membercard-issuer --home office stock day protocol 6a1f... --out protocol.pdf
""",
)
@needs(Right.READ_STOCK, by_use_case=True)
def protocol_command(
    context: typer.Context,
    count: CountArgument,
    *,
    out: Annotated[Path, typer.Option(help="Where to write the PDF.")],
) -> None:
    """Write the protocol of a count, as it stands now."""
    with open_register_home(command_context(context).home) as opened:
        stock = stock_of(opened.register)
        actor = command_context(context).actor
        close = stock.days.show(DayCloseId(count), actor=actor)
        site = stock.room.site(close.site, actor=actor)
    write_paper(out, day_close_pdf(close, site))
    standard_output().print(f"The protocol is in {out}.", markup=False)


@day_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office stock day list
""",
)
@needs(Right.READ_STOCK, by_use_case=True)
def list_days_command(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List counts and closes, the newest first."""
    with open_register_home(command_context(context).home) as opened:
        found = stock_of(opened.register).days.newest(
            actor=command_context(context).actor, limit=limit
        )
    if output_format is OutputFormat.JSON:
        print_json_list(_document(each) for each in found)
        return
    print_table(
        ("Day", "Site", "State", "Counted by", "Confirmed by", "Count"),
        (
            (
                each.day.isoformat(),
                each.site,
                each.state.value,
                each.counted_by,
                each.closed_by or "",
                str(each.close_id),
            )
            for each in found
        ),
    )


def _document(close: DayClose) -> dict[str, object]:
    return {
        "count": str(close.close_id),
        "site": close.site,
        "day": close.day.isoformat(),
        "state": close.state.value,
        "received": close.received,
        "good": close.good,
        "spoiled": close.spoiled,
        "samples": close.samples,
        "left": close.left,
        "counted": _counts(close.counted),
        "expected": _counts(close.expected),
        "counted_by": close.counted_by,
        "closed_by": close.closed_by,
    }


def _counts(count: StockCount) -> dict[str, int]:
    return {
        "finished": count.finished,
        "spoiled": count.spoiled,
        "samples": count.samples,
        "left": count.left,
    }
