"""Commands ``login``, ``logout`` and ``whoami``."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_people import log_in_of
from issuer.cli_context import (
    CommandContext,
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    standard_output,
)
from issuer.cli_password import AccountArgument, PasswordFileOption, new_password, password_of
from issuer.cli_rights import needs_no_right
from issuer.domain.rights import STEP_UP_TIME, AccountName
from issuer.domain.session import Face, Restriction
from issuer.errors import IssuerError
from issuer.identity.session_file import forget_session, read_session, write_session
from issuer.services.log_in import LogIn, OpenedSession

__all__ = ["login_app", "logout_app", "whoami_app"]


login_app = typer.Typer(rich_markup_mode=None)
logout_app = typer.Typer(rich_markup_mode=None)
whoami_app = typer.Typer(rich_markup_mode=None)


@login_app.command(
    "login",
    epilog="""\b
Examples:
  membercard-issuer --home office login an.nguyen
  membercard-issuer --home office login an.nguyen --password-file an.password
  membercard-issuer --home office login an.nguyen --password-file given.password --new-password-file an.password
""",
)
@needs_no_right("it is how somebody says who they are")
def login_command(
    context: typer.Context,
    name: AccountArgument,
    *,
    password_file: PasswordFileOption = None,
    new_password_file: Annotated[
        Path | None,
        typer.Option(
            help="The file of the password of one's own that takes the place of one that was given; "
            "made with a random one where there is none."
        ),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Log in, and keep the session in a file that nobody else can read.

    A password that somebody else set must be changed with this. Logging in again renews the right to
    do what needs the second factor, for some minutes.
    """
    command = command_context(context)
    password = password_of(password_file)
    with _log_in(command) as log_in:
        opened = log_in.log_in(name, password, face=Face.COMMAND_LINE)
        if opened.session.restriction is Restriction.PASSWORD_CHANGE_DUE:
            opened = _with_own_password(log_in, opened, password, new_password_file)
        _end_session_of(command, log_in)
        write_session(command.session_file, opened.token)
    if output_format is OutputFormat.JSON:
        print_json({"account": opened.account, "until": opened.session.expires_at.isoformat()})
    else:
        standard_output().print(
            f"{opened.account} is logged in until {opened.session.expires_at:%Y-%m-%d %H:%M} UTC.",
            markup=False,
        )


@logout_app.command(
    "logout",
    epilog="""\b
Examples:
  membercard-issuer --home office logout
""",
)
@needs_no_right("it ends one's own session")
def logout_command(context: typer.Context) -> None:
    """Log out: end the session and remove its file."""
    command = command_context(context)
    with _log_in(command) as log_in:
        log_in.log_out(read_session(command.session_file))
    forget_session(command.session_file)
    standard_output().print("Nobody is logged in here any more.")


@whoami_app.command(
    "whoami",
    epilog="""\b
Examples:
  membercard-issuer --home office whoami
""",
)
@needs_no_right("it says who one is oneself")
def whoami_command(context: typer.Context, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """Say who is logged in here, as what, and until when."""
    command = command_context(context)
    with _log_in(command) as log_in:
        present = log_in.authenticate(read_session(command.session_file), face=Face.COMMAND_LINE)
    actor, session = present.actor, present.session
    shown = actor.stepped_up_at
    until = None if shown is None else shown + STEP_UP_TIME
    has_stepped_up = until is not None and datetime.now(UTC) <= until
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "account": actor.account,
                "assignments": [
                    {"role": each.role.value, "organisation": each.organisation}
                    for each in actor.assignments
                ],
                "until": session.expires_at.isoformat(),
                "second_factor_until": until.isoformat() if until and has_stepped_up else None,
            }
        )
        return
    roles = ", ".join(
        f"{each.role} for {each.organisation or 'the whole register'}" for each in actor.assignments
    )
    standard_output().print(
        f"{actor.account}: {roles or 'no role'}; logged in until "
        f"{session.expires_at:%Y-%m-%d %H:%M} UTC.",
        markup=False,
    )


@contextlib.contextmanager
def _log_in(command: CommandContext) -> Iterator[LogIn]:
    with open_register_home(command.home) as opened:
        yield log_in_of(opened.register, opened.settings.people)


def _with_own_password(
    log_in: LogIn, opened: OpenedSession, old: str, new_file: Path | None
) -> OpenedSession:
    """The session after the password that somebody else set was changed; it ends where it was not."""
    try:
        new = new_password(new_file, AccountName(opened.account))
        return log_in.change_password(opened.token, face=Face.COMMAND_LINE, old=old, new=new)
    except (IssuerError, typer.Abort):
        log_in.log_out(opened.token)
        raise


def _end_session_of(command: CommandContext, log_in: LogIn) -> None:
    """End the session whose file is about to be replaced: nobody could end it afterwards."""
    try:
        log_in.log_out(read_session(command.session_file))
    except IssuerError:
        # There is none, or not one that we would trust.
        return
