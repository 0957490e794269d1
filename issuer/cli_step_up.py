"""Command ``step-up``: have this terminal confirmed with a security key, which only the console can ask for."""

import time
from datetime import UTC, datetime
from typing import Final

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_people import log_in_of, terminals_of
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    standard_error,
    standard_output,
)
from issuer.cli_rights import needs_no_right
from issuer.domain.rights import STEP_UP_TIME
from issuer.domain.session import Face
from issuer.errors import IssuerRefusedError
from issuer.identity.session_file import read_session

__all__ = ["step_up_app"]

_PAGE: Final = "/security-keys/terminal"
_LOOK_EVERY: Final = 0.5

step_up_app = typer.Typer(rich_markup_mode=None)


@step_up_app.command(
    "step-up",
    epilog="""\b
Examples:
  membercard-issuer --home office step-up
  membercard-issuer --home office step-up && membercard-issuer --home office cards print-data --out print.json
""",
)
@needs_no_right("it is how somebody says who they are")
def step_up_command(
    context: typer.Context, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """Have this terminal confirmed with a security key, in the console.

    It shows a code, and waits until its owner types it in the console, where the key is shown. Commands
    that need the second factor then work for five minutes. Whoever has no key logs in again instead.
    """
    command = command_context(context)
    token = read_session(command.session_file)
    with open_register_home(command.home) as opened:
        people = opened.settings.people
        log_in = log_in_of(opened.register, people)
        code = terminals_of(opened.register, log_in=log_in).begin(token)
        where = f"{people.console_origin or ''}{_PAGE}"
        standard_error().print(
            f"Open {where}, show your security key there, and type: {code.text}",
            markup=False,
            soft_wrap=True,
        )
        while True:
            shown = log_in.authenticate(token, face=Face.COMMAND_LINE).actor.stepped_up_at
            now = datetime.now(UTC)
            # The code is forgotten by whoever confirms it, and holds five minutes: what was shown since is its answer.
            if shown is not None and shown >= code.begun_at:
                break
            if now > code.until:
                raise IssuerRefusedError(
                    "nobody confirmed the code in the console in time",
                    code="terminal-code.not-confirmed",
                    hint="membercard-issuer step-up, and type the new code",
                )
            time.sleep(_LOOK_EVERY)
    until = shown + STEP_UP_TIME
    if output_format is OutputFormat.JSON:
        print_json({"second_factor_until": until.isoformat()})
    else:
        standard_output().print(f"Confirmed until {until:%H:%M} UTC.", markup=False)
