"""Commands of single members: search, show, change, standing, transfer, serve, history."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from issuer.bootstrap import RegisterHome, open_register_home
from issuer.cli_acts import (
    BehindOption,
    EvidenceOption,
    LimitOption,
    ReasonOption,
    VersionOption,
    day,
    justification,
    position,
    position_text,
)
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
)
from issuer.cli_member_display import change_as_json, line_as_json, print_end, print_member
from issuer.cli_rights import needs
from issuer.domain.member import MemberId, Standing
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.portrait import MAX_PICTURE_BYTES
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.imports.table import open_bounded
from issuer.services.register_ports import HistoryPosition

__all__ = ["MemberArgument", "find_member", "member_records_app"]

_MAX_VALUES_BYTES = 64 * 1024
_DEFAULT_LIMIT = 50

MemberArgument = Annotated[
    str,
    typer.Argument(
        metavar="MEMBER", help="The member's identifier, or record number, or card number."
    ),
]
OrganisationOption = Annotated[
    str | None,
    typer.Option("--organisation", help="Only in this organisation and in those below it."),
]

member_records_app = typer.Typer()


@member_records_app.command(
    "search",
    epilog="""\b
Examples:
  membercard-issuer --home office members search hoa
  membercard-issuer --home office members search "nguyen thi hoa" --organisation P-01
  membercard-issuer --home office members search 000123AB --format json
""",
)
@needs(Right.READ_MEMBERS, by_use_case=True)
def search_command(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A name or a number.")],
    *,
    organisation: OrganisationOption = None,
    limit: LimitOption = _DEFAULT_LIMIT,
    behind: BehindOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Find members by name or number; the audit trail records who was shown.

    A name is the given name, words of the name with the given name last (beginnings of words are
    enough), or the beginning of the whole name, the family name first. Tones, capitals and
    apostrophes do not count: hoa finds Hòa and Hoà.
    """
    roots = None if organisation is None else frozenset({parse_organisation_code(organisation)})
    with open_register_home(command_context(context).home) as opened:
        page = opened.reading().search(
            text,
            actor=command_context(context).actor,
            limit=limit,
            behind=position(behind),
            roots=roots,
        )
        end = None if page.end is None else position_text(page.end)
        if output_format is OutputFormat.JSON:
            print_json({"members": [line_as_json(opened, each) for each in page.lines], "end": end})
            return
        print_table(
            ("Member", "Name", "Born", "Record", "Organisation", "Standing"),
            (
                (
                    str(each.member_id),
                    each.full_name,
                    each.birth_date.isoformat(),
                    each.record_number,
                    each.organisation_code,
                    each.standing.value,
                )
                for each in page.lines
            ),
        )
        print_end(end)


@member_records_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office members show 000123AB
  membercard-issuer --home office members show 000123AB --format json
""",
)
@needs(Right.READ_MEMBERS, by_use_case=True)
def show_command(
    context: typer.Context,
    member: MemberArgument,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show what the register states of one member; the audit trail records who looked."""
    with open_register_home(command_context(context).home) as opened:
        actor = command_context(context).actor
        found = opened.reading().show(find_member(opened, member, actor), actor=actor)
        print_member(found, output_format)


@member_records_app.command(
    "change",
    epilog="""\b
Examples:
  membercard-issuer --home office members change 000123AB --version 1 --set phone=0912345678 --reason "told us"
  membercard-issuer --home office members change 000123AB --version 2 --from values.json --reason "birth record" --evidence scan.pdf
""",
)
@needs(Right.WRITE_MEMBERS, by_use_case=True)
def change_command(
    context: typer.Context,
    member: MemberArgument,
    *,
    version: VersionOption,
    reason: ReasonOption,
    evidence: EvidenceOption = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="May be repeated; no value empties."),
    ] = None,
    values: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A JSON object of fields and values; - reads standard input, where others see none of it.",
        ),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Put right what was recorded wrongly; fields are named as the columns of member lists."""
    wanted = _wanted(assignments or (), values)
    why = justification(reason, evidence)
    with open_register_home(command_context(context).home) as opened:
        actor = command_context(context).actor
        changed = opened.changes().correct(
            find_member(opened, member, actor), wanted, actor=actor, version=version, why=why
        )
        print_member(changed, output_format)


@member_records_app.command(
    "standing",
    epilog="""\b
Examples:
  membercard-issuer --home office members standing 000123AB suspended --since 2026-10-01 --version 1 --reason "decision 12"
""",
)
@needs(Right.WRITE_MEMBERS, by_use_case=True)
def standing_command(
    context: typer.Context,
    member: MemberArgument,
    standing: Annotated[Standing, typer.Argument(help="The standing from that day on.")],
    *,
    since: Annotated[str, typer.Option(help="The day on which it began.")],
    version: VersionOption,
    reason: ReasonOption,
    evidence: EvidenceOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Record that another standing began on a day."""
    why = justification(reason, evidence)
    with open_register_home(command_context(context).home) as opened:
        actor = command_context(context).actor
        changed = opened.changes().change_standing(
            find_member(opened, member, actor),
            standing,
            since=day(since),
            actor=actor,
            version=version,
            why=why,
        )
        print_member(changed, output_format)


@member_records_app.command(
    "transfer",
    epilog="""\b
Examples:
  membercard-issuer --home office members transfer 000123AB --to P-02 --on 2026-11-01 --version 1 --reason "paper 7"
""",
)
@needs(Right.WRITE_MEMBERS, by_use_case=True)
def transfer_command(
    context: typer.Context,
    member: MemberArgument,
    *,
    to: Annotated[str, typer.Option(help="The organisation that records the member from then on.")],
    on: Annotated[str, typer.Option(help="The day.")],
    version: VersionOption,
    reason: ReasonOption,
    evidence: EvidenceOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Record that a member belongs to another organisation; who is asked needs the right in both."""
    why = justification(reason, evidence)
    with open_register_home(command_context(context).home) as opened:
        actor = command_context(context).actor
        changed = opened.changes().transfer(
            find_member(opened, member, actor),
            parse_organisation_code(to),
            on=day(on),
            actor=actor,
            version=version,
            why=why,
        )
        print_member(changed, output_format)


@member_records_app.command(
    "portrait",
    epilog="""\b
Examples:
  membercard-issuer --home office members portrait 000123AB new.jpg --version 1 --reason "was blurred"
  membercard-issuer --home office members portrait 000123AB new.jpg --version 1 --reason "beard" --accept-doubts
""",
)
@needs(Right.WRITE_MEMBERS, by_use_case=True)
def portrait_command(
    context: typer.Context,
    member: MemberArgument,
    picture: Annotated[Path, typer.Argument(metavar="FILE", help="JPEG or PNG.")],
    *,
    version: VersionOption,
    reason: ReasonOption,
    evidence: EvidenceOption = None,
    accept_doubts: Annotated[
        bool, typer.Option("--accept-doubts", help="You have looked at what is doubtful.")
    ] = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Give a member another portrait, made as the card holds it; the earlier one is destroyed."""
    why = justification(reason, evidence)
    with open_bounded(picture) as file:
        content = file.read(MAX_PICTURE_BYTES + 1)
    with open_register_home(command_context(context).home) as opened:
        actor = command_context(context).actor
        found, desk = find_member(opened, member, actor), opened.new_portraits()
        brought = desk.bring(found, content, actor=actor, version=version)
        try:
            done = desk.replace(
                found,
                brought.word,
                actor=actor,
                version=version,
                why=why,
                accepts_doubts=accept_doubts,
            )
        finally:
            desk.discard(found, brought.word)
        print_member(done.member, output_format)


@member_records_app.command(
    "serve",
    epilog="""\b
Examples:
  membercard-issuer --home office members serve 000123AB --in P-02 --since 2026-11-01 --version 1 --reason "lives there"
  membercard-issuer --home office members serve 000123AB --since 2026-12-01 --version 2 --reason "is back"
""",
)
@needs(Right.WRITE_MEMBERS, by_use_case=True)
def serve_command(
    context: typer.Context,
    member: MemberArgument,
    *,
    since: Annotated[str, typer.Option(help="The day.")],
    version: VersionOption,
    reason: ReasonOption,
    organisation: Annotated[
        str | None,
        typer.Option("--in", help="The organisation that serves; none: at home again."),
    ] = None,
    evidence: EvidenceOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Record where a temporary resident is served."""
    why = justification(reason, evidence)
    with open_register_home(command_context(context).home) as opened:
        actor = command_context(context).actor
        changed = opened.changes().serve_in(
            find_member(opened, member, actor),
            None if organisation is None else parse_organisation_code(organisation),
            since=day(since),
            actor=actor,
            version=version,
            why=why,
        )
        print_member(changed, output_format)


@member_records_app.command(
    "history",
    epilog="""\b
Examples:
  membercard-issuer --home office members history 000123AB
  membercard-issuer --home office members history 000123AB --limit 10 --behind 3.phone --format json
""",
)
@needs(Right.READ_MEMBERS, by_use_case=True)
def history_command(
    context: typer.Context,
    member: MemberArgument,
    limit: LimitOption = _DEFAULT_LIMIT,
    behind: BehindOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show what changed of a member, the newest first: who, when, why, and on which document."""
    with open_register_home(command_context(context).home) as opened:
        actor = command_context(context).actor
        page = opened.changes().history(
            find_member(opened, member, actor),
            actor=actor,
            limit=limit,
            behind=_history_position(behind),
        )
    end = None if page.end is None else f"{page.end.version}.{page.end.column.value}"
    if output_format is OutputFormat.JSON:
        print_json({"changes": [change_as_json(each) for each in page.changes], "end": end})
        return
    print_table(
        ("Version", "Field", "Before", "After", "Day", "Recorded", "By", "Reason"),
        (
            (
                str(each.version),
                each.change.column.value,
                each.change.old or "",
                each.change.new or "",
                "" if each.effective is None else each.effective.isoformat(),
                each.at.isoformat(timespec="seconds"),
                each.account,
                each.reason,
            )
            for each in page.changes
        ),
    )
    print_end(end)


def find_member(opened: RegisterHome, text: str, actor: Actor) -> MemberId:
    """Whom the words name.

    Raises:
        IssuerRefusedError: nobody, or not one member alone (``member.unknown``).
    """
    try:
        return MemberId(UUID(text))
    except ValueError:
        pass
    page = opened.reading().search(text, actor=actor, limit=2)
    if len(page.lines) != 1 or page.end is not None:
        raise IssuerRefusedError(
            f"{len(page.lines)} members are found by this, expected one",
            code="member.unknown",
            hint="membercard-issuer members search TEXT",
        )
    return page.lines[0].member_id


def _wanted(assignments: Sequence[str], values: Path | None) -> dict[MemberColumn, str | None]:
    pairs: dict[str, str | None] = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator:
            raise typer.BadParameter("expected FIELD=VALUE", param_hint="--set")
        pairs[name] = value or None
    pairs.update(_values_in(values) if values is not None else {})
    wanted: dict[MemberColumn, str | None] = {}
    for name, text in pairs.items():
        try:
            wanted[MemberColumn(name)] = text
        except ValueError as error:
            raise IssuerDataError(
                "there is no such field of a member",
                code="member.field-unknown",
                hint="fields are named as the columns of member lists",
            ) from error
    return wanted


def _values_in(path: Path) -> Mapping[str, str | None]:
    with open_bounded(path) as file:
        content = file.read(_MAX_VALUES_BYTES + 1)
    try:
        found = json.loads(content) if len(content) <= _MAX_VALUES_BYTES else None
    except (ValueError, RecursionError):
        # The library's own text would quote the file.
        found = None
    if not isinstance(found, dict) or not all(
        each is None or isinstance(each, str) for each in found.values()
    ):
        raise IssuerDataError(
            f"{path} is not a JSON object of texts, of at most {_MAX_VALUES_BYTES} bytes",
            code="member.values-malformed",
        )
    return found


def _history_position(text: str | None) -> HistoryPosition | None:
    if text is None:
        return None
    version, _, column = text.partition(".")
    try:
        return HistoryPosition(int(version), MemberColumn(column))
    except ValueError as error:
        raise IssuerDataError(
            "--behind is not the end of a page", code="page.malformed", hint="copy it from there"
        ) from error
