"""Commands of conflicts with other instances: list, settle."""

import uuid
from typing import Annotated, Final

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_bundles import exchange_of
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.domain.bundle import ConflictId
from issuer.domain.rights import Right
from issuer.errors import IssuerDataError
from issuer.services.settle_conflicts import ConflictChoice

__all__ = ["conflicts_app"]

_LISTED: Final = 500

conflicts_app = typer.Typer(
    help="What other instances state and this register does not: list, settle.",
    rich_markup_mode=None,
)


@conflicts_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office conflicts list
  membercard-issuer --home office conflicts list --format json
""",
)
@needs(Right.EXCHANGE_BUNDLES, by_use_case=True)
def list_conflicts_command(
    context: typer.Context, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List the open conflicts of one's own part of the tree, the oldest first; no person's data is shown."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        found = exchange_of(opened).conflicts.waiting(actor=actor, limit=_LISTED)
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "conflicts": [
                    {
                        "conflict_id": str(each.conflict_id),
                        "instance": each.instance,
                        "sequence": each.sequence,
                        "kind": each.kind.value,
                        "subject": each.subject_id,
                        "member_id": None if each.member_id is None else str(each.member_id),
                        "organisation": each.organisation,
                        "code": each.code,
                        "sentence": each.sentence,
                        "columns": list(each.columns),
                        "found_at": each.found_at.isoformat(),
                    }
                    for each in found
                ]
            }
        )
        return
    print_table(
        ("Conflict", "Instance", "Kind", "Organisation", "Code", "Fields", "What"),
        (
            (
                str(each.conflict_id),
                each.instance,
                each.kind.value,
                each.organisation,
                each.code,
                ", ".join(each.columns),
                each.sentence,
            )
            for each in found
        ),
    )


@conflicts_app.command(
    "settle",
    epilog="""\b
Examples:
  membercard-issuer --home office conflicts settle 5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10 --true ours --reason "looked into the file"
""",
)
@needs(Right.EXCHANGE_BUNDLES, by_use_case=True)
def settle_command(
    context: typer.Context,
    conflict: Annotated[str, typer.Argument(help="The identifier of the conflict.")],
    *,
    choice: Annotated[
        ConflictChoice, typer.Option("--true", help="Whose statement is true (docs/bundles.md).")
    ],
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Say what is true: theirs is taken, or ours stays, or neither counts and a request goes back."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        settled = exchange_of(opened).conflicts.settle(
            _conflict_id(conflict), choice, reason=reason, actor=actor
        )
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "conflict_id": str(settled.conflict.conflict_id),
                "state": settled.conflict.state.value,
                "requests_taken": settled.requests_taken,
            }
        )
        return
    standard_output().print(
        f"The conflict is {settled.conflict.state}; {settled.requests_taken} requests were taken with it.",
        markup=False,
    )


def _conflict_id(text: str) -> ConflictId:
    try:
        return ConflictId(uuid.UUID(text))
    except ValueError as error:
        raise IssuerDataError(
            f"conflict identifier of {len(text)} characters, expected a UUID",
            code="conflict.id-malformed",
        ) from error
