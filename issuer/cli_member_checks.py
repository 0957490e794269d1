"""Commands by which people say that everything is as it is recorded: of one member, or of all of an organisation."""

from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.cli_acts import VersionOption
from issuer.cli_context import FormatOption, OutputFormat, command_context, print_json
from issuer.cli_member_records import MemberArgument, find_member
from issuer.cli_rights import needs
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import Right

__all__ = ["member_checks_app"]

member_checks_app = typer.Typer()


@member_checks_app.command(
    "check",
    epilog="""\b
Examples:
  membercard-issuer --home office members check 000123AB --version 3
""",
)
@needs(Right.WRITE_MEMBERS, by_use_case=True)
def check_command(
    context: typer.Context,
    member: MemberArgument,
    *,
    version: VersionOption,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Say that everything is as it is recorded of a member; nothing changes, and the record counts as live."""
    with open_register_home(command_context(context).home) as opened:
        actor = command_context(context).actor
        opened.checking().check(find_member(opened, member, actor), actor=actor, version=version)
    _tell(1, output_format)


@member_checks_app.command(
    "check-all",
    epilog="""\b
Examples:
  membercard-issuer --home office members check-all C-011
""",
)
@needs(Right.WRITE_MEMBERS, by_use_case=True)
def check_all_command(
    context: typer.Context,
    organisation: Annotated[
        str,
        typer.Argument(
            metavar="ORGANISATION", help="Whose own members; not those of any below it."
        ),
    ],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Say so of everybody who is recorded in an organisation itself, at most a thousand."""
    with open_register_home(command_context(context).home) as opened:
        count = opened.checking().check_all(
            parse_organisation_code(organisation), actor=command_context(context).actor
        )
    _tell(count, output_format)


def _tell(count: int, output_format: OutputFormat) -> None:
    if output_format is OutputFormat.JSON:
        print_json({"checked": count})
    else:
        typer.echo(f"{count} checked")
