"""Commands of people: accounts, their roles, and what ends them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_people import people_of
from issuer.cli_account_proposals import account_proposals_app, say_what_waits
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_json_list,
    print_table,
    standard_output,
)
from issuer.cli_password import AccountArgument, PasswordFileOption, new_password
from issuer.cli_rights import needs, needs_no_right
from issuer.domain.account import Account, parse_account_name
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import AccountName, Actor, Assignment, Right, Role
from issuer.services.people import AccountChange, People

__all__ = ["people_app"]

_PAGE_ROWS = 200

people_app = typer.Typer(help="Accounts: who may log in, and as what.", rich_markup_mode=None)
people_app.add_typer(account_proposals_app)

RoleArgument = Annotated[Role, typer.Argument(metavar="ROLE", help="The role.")]
OrganisationOption = Annotated[
    str | None,
    typer.Option(
        "--organisation",
        help="The code of the organisation for which, and for all below it, the role holds; else for all.",
    ),
]


@people_app.command(
    "create-first-administrators",
    epilog="""\b
Examples:
  membercard-issuer --home office people create-first-administrators admin other
  membercard-issuer --home office people create-first-administrators admin other --password-file admin.password --second-password-file other.given
""",
)
@needs_no_right("it works only while there is no account: there is nobody who could have the right")
def create_first_administrators_command(
    context: typer.Context,
    name: AccountArgument,
    second: Annotated[
        str, typer.Argument(metavar="SECOND", help="The account's name of another person.")
    ],
    *,
    password_file: PasswordFileOption = None,
    second_password_file: Annotated[
        Path | None,
        typer.Option(help="The file of the second one's password; else it is asked for."),
    ] = None,
) -> None:
    """Make the two accounts with which everything begins; it works once.

    What one of them alone must not do, such as making somebody who decides, takes both: they are two people. The second
    one's password is changed at the first log-in. A password file that is not there is made with a random password.
    """
    first, other = parse_account_name(name), parse_account_name(second)
    with _people(context) as people:
        people.create_first_administrators(
            first,
            other,
            passwords=(
                new_password(password_file, first),
                new_password(second_password_file, other),
            ),
        )
    standard_output().print(f"{first} and {other} are the first administrators.", markup=False)


@people_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-issuer --home office people create an.nguyen --role clerk --organisation P-01
  membercard-issuer --home office people create an.nguyen --password-file given.password
  membercard-issuer --home office people create an.nguyen --role auditor --no-password
""",
)
@needs(Right.MANAGE_PEOPLE, by_use_case=True)
def create_command(
    context: typer.Context,
    name: AccountArgument,
    *,
    role: Annotated[
        list[Role] | None, typer.Option("--role", help="A role; may be repeated.")
    ] = None,
    organisation: OrganisationOption = None,
    password_file: PasswordFileOption = None,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="Another service says who they are.")
    ] = False,
) -> None:
    """Make an account; its owner changes the password at the first log-in.

    A password file that is not there is made with a random password, to be handed over.
    """
    if no_password and password_file is not None:
        raise typer.BadParameter("give either --password-file or --no-password")
    account = parse_account_name(name)
    assignments = [_assignment(each, organisation) for each in role or ()]
    with _people(context) as people:
        made = people.create(
            account,
            actor=_actor(context),
            assignments=assignments,
            password=None if no_password else new_password(password_file, account),
        )
    standard_output().print(f"Account {account} is made.", markup=False)
    say_what_waits(made.proposals)


@people_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office people list
  membercard-issuer --home office people list --format json
""",
)
@needs(Right.MANAGE_PEOPLE, by_use_case=True)
def list_command(context: typer.Context, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """List the accounts that one may manage, by name."""
    with _people(context) as people:
        accounts = _walk(people, _actor(context))
        if output_format is OutputFormat.JSON:
            print_json_list(_as_json(each) for each in accounts)
            return
        print_table(
            ("Account", "State", "Roles"),
            ((each.name, each.state.value, _roles(each)) for each in accounts),
        )


@people_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office people show an.nguyen
""",
)
@needs(Right.MANAGE_PEOPLE, by_use_case=True)
def show_command(
    context: typer.Context, name: AccountArgument, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """Show one account."""
    with _people(context) as people:
        account = people.show(parse_account_name(name), actor=_actor(context))
    if output_format is OutputFormat.JSON:
        print_json(_as_json(account))
        return
    print_table(
        ("Account", "State", "Roles"), ((account.name, account.state.value, _roles(account)),)
    )


@people_app.command(
    "assign",
    epilog="""\b
Examples:
  membercard-issuer --home office people assign an.nguyen endorser --organisation P-01
  membercard-issuer --home office people assign an.nguyen auditor
""",
)
@needs(Right.MANAGE_PEOPLE, by_use_case=True)
def assign_command(
    context: typer.Context,
    name: AccountArgument,
    role: RoleArgument,
    *,
    organisation: OrganisationOption = None,
) -> None:
    """Give a role for a part of the tree."""
    with _people(context) as people:
        changed = people.assign(
            parse_account_name(name), _assignment(role, organisation), actor=_actor(context)
        )
    _say_roles(changed.account)
    say_what_waits(changed.proposals)


@people_app.command(
    "unassign",
    epilog="""\b
Examples:
  membercard-issuer --home office people unassign an.nguyen endorser --organisation P-01
""",
)
@needs(Right.MANAGE_PEOPLE, by_use_case=True)
def unassign_command(
    context: typer.Context,
    name: AccountArgument,
    role: RoleArgument,
    *,
    organisation: OrganisationOption = None,
) -> None:
    """Take a role for a part of the tree; it must have been given for just that part."""
    with _people(context) as people:
        account = people.unassign(
            parse_account_name(name), _assignment(role, organisation), actor=_actor(context)
        )
    _say_roles(account)


@people_app.command(
    "disable",
    epilog="""\b
Examples:
  membercard-issuer --home office people disable an.nguyen
""",
)
@needs(Right.MANAGE_PEOPLE, by_use_case=True)
def disable_command(context: typer.Context, name: AccountArgument) -> None:
    """Let nobody log in to an account any more, and end its sessions."""
    with _people(context) as people:
        people.disable(parse_account_name(name), actor=_actor(context))
    standard_output().print(f"Account {name} is disabled.", markup=False)


@people_app.command(
    "enable",
    epilog="""\b
Examples:
  membercard-issuer --home office people enable an.nguyen
""",
)
@needs(Right.MANAGE_PEOPLE, by_use_case=True)
def enable_command(context: typer.Context, name: AccountArgument) -> None:
    """Let somebody log in to a disabled account again."""
    with _people(context) as people:
        changed = people.enable(parse_account_name(name), actor=_actor(context))
    _say(f"Account {name} is active.", changed)


@people_app.command(
    "reset-password",
    epilog="""\b
Examples:
  membercard-issuer --home office people reset-password an.nguyen --password-file given.password
""",
)
@needs(Right.MANAGE_PEOPLE, by_use_case=True)
def reset_password_command(
    context: typer.Context, name: AccountArgument, *, password_file: PasswordFileOption = None
) -> None:
    """Set a password that its owner must change at the next log-in; every session of the account ends.

    A password file that is not there is made with a random password, to be handed over.
    """
    account = parse_account_name(name)
    with _people(context) as people:
        changed = people.reset_password(
            account, draw=lambda: new_password(password_file, account), actor=_actor(context)
        )
    _say(f"Account {name} has another password.", changed)


@people_app.command(
    "remove-second-factors",
    epilog="""\b
Examples:
  membercard-issuer --home office people remove-second-factors an.nguyen
""",
)
@needs(Right.MANAGE_PEOPLE, by_use_case=True)
def remove_second_factors_command(context: typer.Context, name: AccountArgument) -> None:
    """Forget the security keys of somebody who lost them, and end the account's sessions."""
    with _people(context) as people:
        changed = people.remove_second_factors(parse_account_name(name), actor=_actor(context))
    _say(f"Account {name} has no second factor.", changed)


@people_app.command(
    "end-sessions",
    epilog="""\b
Examples:
  membercard-issuer --home office people end-sessions an.nguyen
""",
)
@needs(Right.MANAGE_PEOPLE, by_use_case=True)
def end_sessions_command(context: typer.Context, name: AccountArgument) -> None:
    """Log an account out everywhere."""
    with _people(context) as people:
        count = people.end_sessions(parse_account_name(name), actor=_actor(context))
    standard_output().print(f"{count} sessions ended.")


@contextlib.contextmanager
def _people(context: typer.Context) -> Iterator[People]:
    home: Path = command_context(context).home
    with open_register_home(home) as opened:
        yield people_of(opened.register, opened.settings.people)


def _actor(context: typer.Context) -> Actor:
    return command_context(context).actor


def _assignment(role: Role, organisation: str | None) -> Assignment:
    code = None if organisation is None else parse_organisation_code(organisation)
    return Assignment(role=role, organisation=code)


def _walk(people: People, actor: Actor) -> Iterator[Account]:
    behind: AccountName | None = None
    while page := people.page(actor=actor, limit=_PAGE_ROWS, behind=behind):
        yield from page
        behind = page[-1].name


def _roles(account: Account) -> str:
    return ", ".join(f"{each.role} ({each.organisation or 'all'})" for each in account.assignments)


def _say(sentence: str, changed: AccountChange) -> None:
    """What was done, or what waits instead."""
    if changed.proposals:
        say_what_waits(changed.proposals)
    else:
        standard_output().print(sentence, markup=False)


def _say_roles(account: Account) -> None:
    standard_output().print(f"{account.name}: {_roles(account) or 'no role'}.", markup=False)


def _as_json(account: Account) -> dict[str, object]:
    return {
        "account": account.name,
        "state": account.state.value,
        "assignments": [
            {"role": each.role.value, "organisation": each.organisation}
            for each in account.assignments
        ],
        "has_password": account.password is not None,
        "created_at": account.created_at.isoformat(),
    }
