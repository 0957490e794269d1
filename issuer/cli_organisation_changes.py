"""Commands of single organisations: show, add, rename, move, merge, close, history."""

from typing import Annotated, Any

import typer

from issuer.bootstrap import open_register_home
from issuer.cli_acts import EvidenceOption, LimitOption, ReasonOption, day, justification
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.domain.organisation import Organisation, parse_organisation_code
from issuer.domain.organisation_acts import Closure, Merger, Move, Renaming
from issuer.domain.organisation_history import OrganisationVersion
from issuer.domain.organisation_list import OrganisationColumn
from issuer.domain.rights import Right

__all__ = ["organisation_changes_app"]

_DEFAULT_LIMIT = 50

CodeArgument = Annotated[str, typer.Argument(metavar="CODE", help="The organisation's code.")]
OnOption = Annotated[str, typer.Option("--on", help="The day from which on it is so.")]

organisation_changes_app = typer.Typer()


@organisation_changes_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office organisations show P-01
  membercard-issuer --home office organisations show P-01 --as-of 2025-06-30 --format json
""",
)
@needs(Right.READ_ORGANISATIONS, at="code")
def show_command(
    context: typer.Context,
    code: CodeArgument,
    as_of: Annotated[
        str | None, typer.Option(help="As the tree was on this day; without it, as it is today.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show an organisation, those above it and those directly below it."""
    wanted = parse_organisation_code(code)
    date = None if as_of is None else day(as_of)
    with (
        open_register_home(command_context(context).home) as opened,
        opened.register.reading() as transaction,
    ):
        tree = transaction.organisations.tree(as_of=date)
        path = tree.path(wanted)
        below = tree.children(wanted)
    if output_format is OutputFormat.JSON:
        print_json(
            {
                **_as_json(path[0]),
                "above": [_as_json(each) for each in path[1:]],
                "below": [_as_json(each) for each in below],
            }
        )
        return
    print_table(
        ("Place", "Code", "Name", "Level", "Number"),
        (
            (place, each.code, each.name, each.level or "", each.committee_number or "")
            for place, group in (
                ("above", tuple(reversed(path[1:]))),
                ("itself", path[:1]),
                ("below", below),
            )
            for each in group
        ),
    )


@organisation_changes_app.command(
    "add",
    epilog="""\b
Examples:
  membercard-issuer --home office organisations add P-04 "Đảng ủy xã Bốn" --under P --on 2026-07-01 --reason "resolution 5"
""",
)
@needs(Right.WRITE_ORGANISATIONS, by_use_case=True)
def add_command(
    context: typer.Context,
    code: CodeArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    *,
    reason: ReasonOption,
    under: Annotated[
        str | None,
        typer.Option(help="The organisation above it; without it, it is a top-most one."),
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", help="Its first day; without it, that is not known.")
    ] = None,
    level: Annotated[str | None, typer.Option(help="What kind of organisation it is.")] = None,
    committee_number: Annotated[
        str | None,
        typer.Option(
            help="Two digits that begin card numbers, where they differ from those above."
        ),
    ] = None,
    evidence: EvidenceOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Record one new organisation; organisations import takes a whole list."""
    why = justification(reason, evidence)
    cells = {
        OrganisationColumn.CODE: code,
        OrganisationColumn.NAME: name,
        OrganisationColumn.PARENT_CODE: under,
        OrganisationColumn.COMMITTEE_NUMBER: committee_number,
        OrganisationColumn.LEVEL: level,
        OrganisationColumn.VALID_FROM: on,
    }
    with open_register_home(command_context(context).home) as opened:
        version = opened.adding_of_organisations().add(
            {column: text for column, text in cells.items() if text is not None},
            actor=command_context(context).actor,
            why=why,
        )
    _print_version(version, output_format)


@organisation_changes_app.command(
    "rename",
    epilog="""\b
Examples:
  membercard-issuer --home office organisations rename P-01 "Đảng ủy xã Mới" --on 2026-07-01 --reason "resolution 5"
""",
)
@needs(Right.WRITE_ORGANISATIONS, by_use_case=True)
def rename_command(
    context: typer.Context,
    code: CodeArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    *,
    on: OnOption,
    reason: ReasonOption,
    level: Annotated[
        str | None,
        typer.Option(help="Its level, where that changes too; an empty one is none any more."),
    ] = None,
    evidence: EvidenceOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Give an organisation another name from a day on; the tree before that day stays as it was."""
    why = justification(reason, evidence)
    with open_register_home(command_context(context).home) as opened:
        changed = opened.changes_of_organisations().take(
            parse_organisation_code(code),
            Renaming(on=day(on), name=name, level=level),
            actor=command_context(context).actor,
            why=why,
        )
    _print_version(changed.version, output_format)


@organisation_changes_app.command(
    "move",
    epilog="""\b
Examples:
  membercard-issuer --home office organisations move P-01-03 --under P-02 --on 2026-07-01 --reason "resolution 5"
""",
)
@needs(Right.WRITE_ORGANISATIONS, by_use_case=True)
def move_command(
    context: typer.Context,
    code: CodeArgument,
    *,
    under: Annotated[str, typer.Option(help="The organisation above it from then on.")],
    on: OnOption,
    reason: ReasonOption,
    evidence: EvidenceOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Put an organisation, with all below it, under another one."""
    why = justification(reason, evidence)
    with open_register_home(command_context(context).home) as opened:
        changed = opened.changes_of_organisations().take(
            parse_organisation_code(code),
            Move(on=day(on), under=parse_organisation_code(under)),
            actor=command_context(context).actor,
            why=why,
        )
    _print_version(changed.version, output_format)


@organisation_changes_app.command(
    "merge",
    epilog="""\b
Examples:
  membercard-issuer --home office organisations merge P-03 --into P-02 --on 2026-07-01 --reason "resolution 5" --evidence resolution.pdf
""",
)
@needs(Right.WRITE_ORGANISATIONS, by_use_case=True)
def merge_command(
    context: typer.Context,
    code: CodeArgument,
    *,
    into: Annotated[str, typer.Option(help="The organisation that takes over.")],
    on: OnOption,
    reason: ReasonOption,
    evidence: EvidenceOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Close an organisation; its members and the organisations below it go to another one."""
    why = justification(reason, evidence)
    with open_register_home(command_context(context).home) as opened:
        merged = opened.changes_of_organisations().take(
            parse_organisation_code(code),
            Merger(on=day(on), into=parse_organisation_code(into)),
            actor=command_context(context).actor,
            why=why,
        )
    if output_format is OutputFormat.JSON:
        print_json(
            {
                **_version_as_json(merged.version),
                "moved_organisations": merged.reach.moved_organisations,
                "moved_members": merged.reach.moved_members,
            }
        )
        return
    standard_output().print(
        f"{code} is merged into {into}: {merged.reach.moved_members} members and "
        f"{merged.reach.moved_organisations} organisations moved.",
        markup=False,
    )


@organisation_changes_app.command(
    "close",
    epilog="""\b
Examples:
  membercard-issuer --home office organisations close P-01-09 --on 2026-07-01 --reason "nobody is left"
""",
)
@needs(Right.WRITE_ORGANISATIONS, by_use_case=True)
def close_command(
    context: typer.Context,
    code: CodeArgument,
    *,
    on: OnOption,
    reason: ReasonOption,
    evidence: EvidenceOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Close an organisation in which nobody is recorded and below which nothing is open."""
    why = justification(reason, evidence)
    with open_register_home(command_context(context).home) as opened:
        changed = opened.changes_of_organisations().take(
            parse_organisation_code(code),
            Closure(on=day(on)),
            actor=command_context(context).actor,
            why=why,
        )
    _print_version(changed.version, output_format)


@organisation_changes_app.command(
    "history",
    epilog="""\b
Examples:
  membercard-issuer --home office organisations history P-01
  membercard-issuer --home office organisations history P-01 --limit 10 --behind 12 --format json
""",
)
@needs(Right.READ_ORGANISATIONS, by_use_case=True)
def history_command(
    context: typer.Context,
    code: CodeArgument,
    limit: LimitOption = _DEFAULT_LIMIT,
    behind: Annotated[
        int | None, typer.Option(min=1, help="The number of the last version that was seen.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show the versions of an organisation, the newest first."""
    with open_register_home(command_context(context).home) as opened:
        versions = opened.changes_of_organisations().history(
            parse_organisation_code(code),
            actor=command_context(context).actor,
            limit=limit,
            behind=behind,
        )
    if output_format is OutputFormat.JSON:
        print_json([_version_as_json(each) for each in versions])
        return
    print_table(
        ("Version", "Change", "From", "Until", "Name", "Under", "Into", "By", "Reason"),
        (
            (
                str(each.number),
                each.change.value,
                "" if each.valid_from is None else each.valid_from.isoformat(),
                "" if each.valid_until is None else each.valid_until.isoformat(),
                each.organisation.name,
                each.organisation.parent_code or "",
                each.successor or "",
                "" if each.act is None else each.act.account,
                "" if each.act is None else each.act.reason,
            )
            for each in versions
        ),
    )


def _print_version(version: OrganisationVersion, output_format: OutputFormat) -> None:
    if output_format is OutputFormat.JSON:
        print_json(_version_as_json(version))
        return
    begun = "" if version.valid_from is None else f" from {version.valid_from} on"
    standard_output().print(
        f"{version.organisation.code} is {version.change.value}{begun} (version {version.number}).",
        markup=False,
    )


def _as_json(organisation: Organisation) -> dict[str, Any]:
    return {
        "code": organisation.code,
        "name": organisation.name,
        "parent_code": organisation.parent_code,
        "level": organisation.level,
        "committee_number": organisation.committee_number,
    }


def _version_as_json(version: OrganisationVersion) -> dict[str, Any]:
    act = version.act
    evidence = None if act is None else act.evidence
    return {
        **_as_json(version.organisation),
        "version": version.number,
        "change": version.change.value,
        "valid_from": None if version.valid_from is None else version.valid_from.isoformat(),
        "valid_until": None if version.valid_until is None else version.valid_until.isoformat(),
        "successor": version.successor,
        "recorded_at": None if act is None else act.at.isoformat(),
        "account": None if act is None else act.account,
        "reason": None if act is None else act.reason,
        "evidence": None if evidence is None else evidence.hex(),
    }
