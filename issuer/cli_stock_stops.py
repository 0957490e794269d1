"""Commands of the stop list: stolen and missing chips."""

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
from issuer.cli_stock_serials import ListOption, SerialsArgument, chosen_serials
from issuer.domain.rights import Right
from issuer.domain.stock_acts import StopReason

__all__ = ["stop_app"]

stop_app = typer.Typer(
    help="The stop list: stations refuse the chips on it.", rich_markup_mode=None
)


@stop_app.command(
    "report",
    epilog="""\b
Examples:
  membercard-issuer --home office stock stop report --list stolen-box.csv --reason stolen
""",
)
@needs(Right.WRITE_STOCK, by_use_case=True)
def report_command(
    context: typer.Context,
    serials: SerialsArgument = None,
    *,
    reason: Annotated[StopReason, typer.Option(help="What became of them.")],
    file: ListOption = None,
) -> None:
    """Put chips on the stop list: no station takes them from now on, finished cards are suspended."""
    with open_register_home(command_context(context).home) as opened:
        stops = stock_of(opened.register).stops.report(
            chosen_serials(serials, file), reason=reason, actor=command_context(context).actor
        )
    standard_output().print(
        f"{len(stops)} chips are on the stop list. Another person confirms it: stock stop confirm."
    )


@stop_app.command(
    "confirm",
    epilog="""\b
Examples:
  membercard-issuer --home office stock stop confirm --list stolen-box.csv
""",
)
@needs(Right.DESTROY_CARDS, by_use_case=True)
def confirm_command(
    context: typer.Context, serials: SerialsArgument = None, *, file: ListOption = None
) -> None:
    """As another person, confirm that chips are gone: they never become cards, their cards end."""
    with open_register_home(command_context(context).home) as opened:
        stops = stock_of(opened.register).stops.confirm(
            chosen_serials(serials, file), actor=command_context(context).actor
        )
    standard_output().print(f"{len(stops)} chips are gone for good.")


@stop_app.command(
    "lift",
    epilog="""\b
Examples:
  membercard-issuer --home office stock stop lift 00000000000000000001
""",
)
@needs(Right.DESTROY_CARDS, by_use_case=True)
def lift_command(
    context: typer.Context, serials: SerialsArgument = None, *, file: ListOption = None
) -> None:
    """As another person, say that reported chips were found where they belong."""
    with open_register_home(command_context(context).home) as opened:
        stops = stock_of(opened.register).stops.lift(
            chosen_serials(serials, file), actor=command_context(context).actor
        )
    standard_output().print(f"{len(stops)} chips are off the stop list.")


@stop_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office stock stop list --format json
""",
)
@needs(Right.READ_STOCK, by_use_case=True)
def list_stops_command(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 1000,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List the stop list, the newest first."""
    with open_register_home(command_context(context).home) as opened:
        found = stock_of(opened.register).stops.newest(
            actor=command_context(context).actor, limit=limit
        )
    if output_format is OutputFormat.JSON:
        print_json_list(
            {
                "serial": each.serial.hex().upper(),
                "reason": each.reason.value,
                "state": each.state.value,
                "site": each.site,
                "reported_by": each.reported_by,
                "reported_at": each.reported_at.isoformat(),
                "concluded_by": each.concluded_by,
            }
            for each in found
        )
        return
    print_table(
        ("Serial", "Reason", "State", "Site", "Reported by", "Concluded by"),
        (
            (
                each.serial.hex().upper(),
                each.reason.value,
                each.state.value,
                each.site or "",
                each.reported_by,
                each.concluded_by or "",
            )
            for each in found
        ),
    )
