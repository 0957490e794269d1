"""Commands of the database: ``database upgrade|show|check``."""

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_jobs import prepare_jobs
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    standard_output,
)
from issuer.cli_rights import needs_no_right
from issuer.db.schema import check_migrations, current_revision, latest_revision, upgrade

__all__ = ["database_app"]

database_app = typer.Typer(
    help="Make the database, and bring it up to date.", rich_markup_mode=None
)


@database_app.command(
    "upgrade",
    epilog="""\b
Examples:
  membercard-issuer --home office database upgrade
""",
)
@needs_no_right(
    "it makes the tables in which accounts stand; who may write the database needs no command"
)
def upgrade_command(
    context: typer.Context, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """Make the database of the home directory, or bring it up to date.

    Repeating it is harmless. The home directory is made where there is none.
    """
    with open_register_home(command_context(context).home, create=True) as opened:
        upgrade(opened.database)
        prepare_jobs(opened.database)
        revision = current_revision(opened.database)
    if output_format is OutputFormat.JSON:
        print_json({"revision": revision})
    else:
        standard_output().print(f"The database is at revision {revision}.")


@database_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office database show
""",
)
@needs_no_right("it says a revision, which must be known before anybody can log in")
def show_command(context: typer.Context, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """Say which revision the database is at, and which one this version works with.

    The exit status is 1 where they differ.
    """
    with open_register_home(command_context(context).home) as opened:
        revision = current_revision(opened.database)
    latest = latest_revision()
    if output_format is OutputFormat.JSON:
        print_json({"revision": revision, "latest": latest})
    else:
        standard_output().print(f"The database is at revision {revision}; the latest is {latest}.")
    if revision != latest:
        raise typer.Exit(1)


@database_app.command(
    "check",
    epilog="""\b
Examples:
  membercard-issuer database check
""",
)
@needs_no_right("it looks at no home")
def check_command(output_format: FormatOption = OutputFormat.TEXT) -> None:
    """Check that the migrations make exactly the tables that the program uses.

    It works on a scratch database and needs no home directory.
    """
    check_migrations()
    if output_format is OutputFormat.JSON:
        print_json({"migrations": "complete"})
    else:
        standard_output().print("The migrations make the tables that the program uses.")
