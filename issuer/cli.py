"""The command ``membercard-issuer``: the root of its commands, and how they end."""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from card_layout.errors import CardError, CardRefusedError, TransportError
from issuer.cli_context import CommandContext
from issuer.errors import IssuerError
from pki.errors import PkiError
from pki.lazy_commands import LazyCommands, LazyGroup

__all__ = ["app", "main", "whole_app"]

_REFUSED = 1
_NOT_DONE = 2
_USAGE = 64


class GuardedCommands(LazyCommands):
    """Commands of which those that do not say what they need run for nobody."""

    def app(self, name: str) -> typer.Typer:
        """Import them."""
        found = super().app(name)
        # It brings the database with it, which nobody waits for who asks for help.
        from issuer.cli_rights import deny_undeclared  # noqa: PLC0415

        deny_undeclared(found, *(() if self.is_command else (name,)))
        return found


_COMMANDS: Final = {
    "serve": GuardedCommands(
        module="issuer.cli_serve",
        attribute="serve_app",
        help="Serve the API and the console, until SIGTERM; only this machine can reach it.",
        is_command=True,
    ),
    "login": GuardedCommands(
        module="issuer.cli_login",
        attribute="login_app",
        help="Log in, and keep the session in a file that nobody else can read.",
        is_command=True,
    ),
    "logout": GuardedCommands(
        module="issuer.cli_login",
        attribute="logout_app",
        help="Log out: end the session and remove its file.",
        is_command=True,
    ),
    "step-up": GuardedCommands(
        module="issuer.cli_step_up",
        attribute="step_up_app",
        help="Have this terminal confirmed with a security key, in the console.",
        is_command=True,
    ),
    "whoami": GuardedCommands(
        module="issuer.cli_login",
        attribute="whoami_app",
        help="Say who is logged in here, as what, and until when.",
        is_command=True,
    ),
    "database": GuardedCommands(
        module="issuer.cli_database",
        attribute="database_app",
        help="Make the database, and bring it up to date.",
    ),
    "audit": GuardedCommands(
        module="issuer.cli_audit",
        attribute="audit_app",
        help="The audit trail: who did what, in a chain that shows every change.",
    ),
    "subject": GuardedCommands(
        module="issuer.cli_subjects",
        attribute="subject_app",
        help="The rights of the people in the register (Law 91/2025/QH15).",
    ),
    "breach": GuardedCommands(
        module="issuer.cli_subjects",
        attribute="breach_app",
        help="A breach of personal data: whom it touches.",
    ),
    "organisations": GuardedCommands(
        module="issuer.cli_register",
        attribute="organisations_app",
        help="The tree of organisations.",
    ),
    "members": GuardedCommands(
        module="issuer.cli_members",
        attribute="members_app",
        help="The members: import, list, look at and change.",
    ),
    "requests": GuardedCommands(
        module="issuer.cli_requests",
        attribute="requests_app",
        help="Requests for cards: draft, propose, endorse, compile, list, show.",
    ),
    "decisions": GuardedCommands(
        module="issuer.cli_decisions",
        attribute="decisions_app",
        help="Decisions on requests: create, confirm, list, show.",
    ),
    "numbers": GuardedCommands(
        module="issuer.cli_numbers",
        attribute="numbers_app",
        help="The card numbers: grant blocks, list them.",
    ),
    "instances": GuardedCommands(
        module="issuer.cli_instances",
        attribute="instances_app",
        help="Other offices' registers, with which bundles are exchanged.",
    ),
    "bundle": GuardedCommands(
        module="issuer.cli_bundles",
        attribute="bundles_app",
        help="Bundles between registers: signed, sealed files.",
    ),
    "conflicts": GuardedCommands(
        module="issuer.cli_conflicts",
        attribute="conflicts_app",
        help="What other instances state and this register does not: list, settle.",
    ),
    "keys": GuardedCommands(
        module="issuer.cli_production",
        attribute="keys_app",
        help="The issuer's master keys.",
    ),
    "stock": GuardedCommands(
        module="issuer.cli_stock",
        attribute="stock_app",
        help="The stock of chips.",
    ),
    "batches": GuardedCommands(
        module="issuer.cli_batches",
        attribute="batches_app",
        help="Batches of cards: open, freeze by two, sign, control, pack, hand over.",
    ),
    "cards": GuardedCommands(
        module="issuer.cli_cards",
        attribute="cards_app",
        help="The cards: list, print, and what becomes of them in their members' hands.",
    ),
    "stations": GuardedCommands(
        module="issuer.cli_stations",
        attribute="stations_app",
        help="Stations elsewhere, at the centre: know them, give them chips, take their reports.",
    ),
    "station": GuardedCommands(
        module="issuer.cli_station",
        attribute="station_app",
        help="Work with chips: initialise blank ones, make cards of them.",
    ),
    "status": GuardedCommands(
        module="issuer.cli_status",
        attribute="status_app",
        help="The status list: what every card counts as, said to the world.",
    ),
    "people": GuardedCommands(
        module="issuer.cli_people",
        attribute="people_app",
        help="Accounts: who may log in, and as what.",
    ),
    "api": GuardedCommands(
        module="issuer.cli_serve",
        attribute="api_app",
        help="The HTTP API: its description.",
    ),
    "jobs": GuardedCommands(
        module="issuer.cli_jobs",
        attribute="jobs_app",
        help="Long work that was asked for: run it.",
    ),
    "reports": GuardedCommands(
        module="issuer.cli_reports",
        attribute="reports_app",
        help="How right, complete, clean and live the register is, by organisation.",
    ),
    "backup": GuardedCommands(
        module="issuer.cli_backup",
        attribute="backup_app",
        help="Database, portraits and documents in one sealed file, and back.",
    ),
}
"""Every command and group; its module is imported when it is called."""

app = typer.Typer(
    name="membercard-issuer",
    cls=LazyGroup.of(_COMMANDS),
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(
    epilog="""\b
Examples:
  membercard-issuer --home office database upgrade
  membercard-issuer --home office login an.nguyen
  membercard-issuer --home office members import members.xlsx --portraits photos
  membercard-issuer --home office requests propose --all
"""
)
def root(
    context: typer.Context,
    *,
    home: Annotated[
        Path | None,
        typer.Option(
            envvar="MEMBERCARD_ISSUER_HOME",
            help="The directory of settings, database, portraits and keys.",
        ),
    ] = None,
    session: Annotated[
        Path | None,
        typer.Option(
            envvar="MEMBERCARD_ISSUER_SESSION",
            help="The file of the session that login makes; by default one in the home, of this user.",
        ),
    ] = None,
    allow_development_cards: Annotated[
        bool,
        typer.Option(
            "--allow-development-cards",
            help="Let a card profile be used that is for development, as dev-bac is.",
        ),
    ] = False,
) -> None:
    """Turn decided requests into written, read-back and locked chip cards.

    Exit status: 0 done, 1 refused, 2 could not read or do, 64 wrong usage.
    """
    context.obj = CommandContext(home, allow_development_cards, session)


def whole_app() -> typer.Typer:
    """All commands, imported; for whoever looks at every one of them."""
    whole = typer.Typer()
    for name, commands in _COMMANDS.items():
        whole.add_typer(commands.app(name), name=None if commands.is_command else name)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give back the exit status; nothing that comes from outside ends in a traceback."""
    try:
        status = app(
            args=None if arguments is None else list(arguments),
            prog_name="membercard-issuer",
            standalone_mode=False,
        )
    except typer.TyperException as error:
        # Which command it was, whose help tells more than that of them all.
        command = getattr(getattr(error, "ctx", None), "command_path", "membercard-issuer")
        return _fail(error.format_message(), "usage", f"{command} --help", _USAGE)
    except (IssuerError, PkiError) as error:
        return _fail(str(error), error.code, error.hint, error.exit_code)
    except CardError as error:
        hint = getattr(error, "hint", None)
        return _fail(str(error), error.code, hint, _status_of_card_error(error))
    except BrokenPipeError:
        # Whoever read our output has gone; what is still buffered must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NOT_DONE
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", "interrupted", None, _NOT_DONE)
    except Exception as error:  # noqa: BLE001 - Python would end with 1, which means refused
        traceback.print_exc()
        return _fail(
            f"a fault of this program ({type(error).__name__})", "internal", None, _NOT_DONE
        )
    # The library turns an interruption into status 130; ours has one meaning for everything not done.
    return _NOT_DONE if status == 130 else status if isinstance(status, int) else 0


def _status_of_card_error(error: CardError) -> int:
    if isinstance(error, (TransportError, CardRefusedError)):
        return _NOT_DONE
    return _REFUSED


def _fail(sentence: str, code: str, hint: str | None, status: int) -> int:
    """One line for people, with the code that they can search for."""
    lines = [f"error: {sentence} [{code}]"] + ([f"hint: {hint}"] if hint else [])
    for line in lines:
        # A file's name may hold anything: nothing of it may steer the terminal.
        printable = "".join(each if each.isprintable() else "?" for each in line)
        sys.stderr.write(printable + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
