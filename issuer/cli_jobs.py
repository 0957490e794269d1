"""The command that runs jobs in a process of its own."""

import signal
import sys
import threading

import typer

from issuer.bootstrap import open_register_home
from issuer.cli_context import command_context
from issuer.cli_rights import needs_no_right
from issuer.errors import IssuerRefusedError

__all__ = ["jobs_app"]

jobs_app = typer.Typer(help="Long work that was asked for: run it.", rich_markup_mode=None)


@jobs_app.callback()
def jobs() -> None:
    """Long work that was asked for: run it."""


@jobs_app.command(
    "run",
    epilog="""\b
Examples:
  membercard-issuer --home office jobs run
""",
)
@needs_no_right("it runs without a person, and does only what people with the right asked for")
def run_command(context: typer.Context) -> None:
    """Run what waits in the database, until SIGTERM; what is under way is finished first.

    Any number of processes may run jobs beside `serve`, which runs them, too: each piece of work is
    taken by one. It needs PostgreSQL; on SQLite `serve` runs everything.
    """
    # Importing what jobs do takes long, and no other command needs it.
    from issuer.bootstrap_operations import jobs_of_operations  # noqa: PLC0415

    stop = threading.Event()
    with open_register_home(command_context(context).home) as opened:
        if opened.database.is_sqlite:
            raise IssuerRefusedError(
                "on SQLite jobs run in the process that serves",
                code="jobs.in-process",
                hint="membercard-issuer serve",
            )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        runner = jobs_of_operations(opened)
        sys.stdout.write("ready: jobs\n")
        sys.stdout.flush()
        runner.run(stop)
