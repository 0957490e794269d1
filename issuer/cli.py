"""The command ``membercard-issuer``: the root of its commands, and how they end."""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from card_layout.errors import CardError, CardRefusedError, TransportError
from issuer.cli_audit import audit_app
from issuer.cli_context import CommandContext
from issuer.cli_decisions import decisions_app
from issuer.cli_jobs import jobs_app
from issuer.cli_login import add_login_commands
from issuer.cli_member_records import member_records_app
from issuer.cli_members import members_app
from issuer.cli_numbers import numbers_app
from issuer.cli_organisation_changes import organisation_changes_app
from issuer.cli_people import people_app
from issuer.cli_production import cards_app, keys_app, station_app, stock_app
from issuer.cli_register import database_app, organisations_app
from issuer.cli_requests import requests_app
from issuer.cli_rights import deny_undeclared
from issuer.cli_serve import SERVE_EXAMPLES, api_app, serve_command
from issuer.cli_status import status_app
from issuer.cli_subjects import breach_app, subject_app
from issuer.errors import IssuerError
from pki.errors import PkiError

__all__ = ["app", "main"]

_REFUSED = 1
_NOT_DONE = 2
_USAGE = 64

app = typer.Typer(
    name="membercard-issuer",
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


# Without a name of their own, these become commands of the same object.
members_app.add_typer(member_records_app)
organisations_app.add_typer(organisation_changes_app)

for _name, _commands in (
    ("database", database_app),
    ("audit", audit_app),
    ("subject", subject_app),
    ("breach", breach_app),
    ("organisations", organisations_app),
    ("members", members_app),
    ("requests", requests_app),
    ("decisions", decisions_app),
    ("numbers", numbers_app),
    ("keys", keys_app),
    ("stock", stock_app),
    ("cards", cards_app),
    ("station", station_app),
    ("status", status_app),
    ("people", people_app),
    ("api", api_app),
    ("jobs", jobs_app),
):
    app.add_typer(_commands, name=_name)
app.command("serve", epilog=SERVE_EXAMPLES)(serve_command)
add_login_commands(app)
deny_undeclared(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give back the exit status; nothing that comes from outside ends in a traceback."""
    try:
        status = app(
            args=None if arguments is None else list(arguments),
            prog_name="membercard-issuer",
            standalone_mode=False,
        )
    except typer.TyperException as error:
        return _fail(error.format_message(), "usage", "membercard-issuer --help", _USAGE)
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
