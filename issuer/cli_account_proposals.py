"""Commands of the second administrator: ``people proposals|confirm|withdraw``."""

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_people import confirmation_of
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json_list,
    print_table,
    standard_output,
)
from issuer.cli_password import PasswordFileOption, new_password
from issuer.cli_rights import needs
from issuer.domain.account_proposal import AccountProposal, ProposalNumber
from issuer.domain.rights import Right
from issuer.services.confirm_accounts import ConfirmationOfAccounts

__all__ = ["account_proposals_app", "say_what_waits"]

account_proposals_app = typer.Typer(rich_markup_mode=None)

NumberArgument = Annotated[
    int, typer.Argument(metavar="NUMBER", min=1, help="As `people proposals` shows it.")
]


@account_proposals_app.command(
    "proposals",
    epilog="""\b
Examples:
  membercard-issuer --home office people proposals
""",
)
@needs(Right.READ_ORGANISATIONS, by_use_case=True)
def proposals_command(
    context: typer.Context, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List what one administrator proposed and another one confirms."""
    with _confirmation(context) as confirmation:
        found = confirmation.waiting(actor=command_context(context).actor)
    if output_format is OutputFormat.JSON:
        print_json_list(_document(each) for each in found)
        return
    print_table(
        ("Number", "Account", "Act", "Role", "Proposed by", "Proposed at"),
        (
            (
                str(each.number),
                each.account,
                each.act.value,
                _role(each),
                each.proposed_by,
                f"{each.proposed_at:%Y-%m-%d %H:%M}Z",
            )
            for each in found
        ),
    )


@account_proposals_app.command(
    "confirm",
    epilog="""\b
Examples:
  membercard-issuer --home office people confirm 3
  membercard-issuer --home office people confirm 4 --password-file given.password
""",
)
@needs(Right.READ_ORGANISATIONS, by_use_case=True)
def confirm_command(
    context: typer.Context, number: NumberArgument, *, password_file: PasswordFileOption = None
) -> None:
    """Do what another administrator proposed.

    Where a password is reset, it is yours to hand over: a password file that is not there is made with a random one.
    """
    with _confirmation(context) as confirmation:
        done = confirmation.confirm(
            ProposalNumber(number),
            actor=command_context(context).actor,
            draw=lambda account: new_password(password_file, account),
        )
    standard_output().print(f"{_sentence(done)}: done.", markup=False)


@account_proposals_app.command(
    "withdraw",
    epilog="""\b
Examples:
  membercard-issuer --home office people withdraw 3
""",
)
@needs(Right.MANAGE_PEOPLE, by_use_case=True)
def withdraw_command(context: typer.Context, number: NumberArgument) -> None:
    """Take a proposal back, or refuse it."""
    with _confirmation(context) as confirmation:
        gone = confirmation.withdraw(ProposalNumber(number), actor=command_context(context).actor)
    standard_output().print(f"{_sentence(gone)}: withdrawn.", markup=False)


def say_what_waits(proposals: tuple[AccountProposal, ...]) -> None:
    """Tell whoever proposed it what another administrator has to do."""
    for each in proposals:
        standard_output().print(
            f"{_sentence(each)}: another administrator confirms it: people confirm {each.number}",
            markup=False,
        )


@contextlib.contextmanager
def _confirmation(context: typer.Context) -> Iterator[ConfirmationOfAccounts]:
    with open_register_home(command_context(context).home) as opened:
        yield confirmation_of(opened.register, opened.settings.people)


def _role(proposal: AccountProposal) -> str:
    given = proposal.assignment
    return "-" if given is None else f"{given.role} ({given.organisation or 'all'})"


def _sentence(proposal: AccountProposal) -> str:
    role = "" if proposal.assignment is None else f" {_role(proposal)}"
    return f"{proposal.act}{role} for {proposal.account}"


def _document(proposal: AccountProposal) -> dict[str, object]:
    given = proposal.assignment
    return {
        "number": proposal.number,
        "account": proposal.account,
        "act": proposal.act.value,
        "role": None if given is None else given.role.value,
        "organisation": None if given is None else given.organisation,
        "proposed_by": proposal.proposed_by,
        "proposed_at": proposal.proposed_at.isoformat(),
    }
