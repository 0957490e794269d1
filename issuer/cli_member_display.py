"""How single members and lines of their history are shown, to people and to programs."""

from typing import Any

from issuer.bootstrap import RegisterHome
from issuer.cli_context import OutputFormat, print_json, print_table, standard_output
from issuer.domain.member import Member
from issuer.domain.member_change import MemberChange, field_text
from issuer.domain.member_rules import MemberColumn
from issuer.services.directory_ports import MemberLine

__all__ = ["change_as_json", "line_as_json", "print_end", "print_member"]


def print_end(end: str | None) -> None:
    """Where the page ended, if there are more."""
    if end is not None:
        standard_output().print(f"There are more: --behind {end}", markup=False)


def line_as_json(opened: RegisterHome, line: MemberLine) -> dict[str, Any]:
    """A line of a list."""
    earlier = line.earlier_card_number
    return {
        "member_id": str(line.member_id),
        "full_name": line.full_name,
        "birth_date": line.birth_date.isoformat(),
        "record_number": line.record_number,
        "earlier_card_number": None if earlier is None else opened.scheme.display(earlier),
        "organisation_code": line.organisation_code,
        "standing": line.standing.value,
        "version": line.version,
    }


def print_member(member: Member, output_format: OutputFormat) -> None:
    """Everything that is stated of a member."""
    fields = {
        column.value: field_text(member.statement, column)
        for column in MemberColumn
        if column is not MemberColumn.PORTRAIT
    }
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "member_id": str(member.member_id),
                "version": member.version,
                **fields,
                "portrait": member.portrait.hex(),
                "recorded_at": member.recorded_at.isoformat(),
                "checked_at": None if member.check is None else member.check.at.isoformat(),
                "checked_by": None if member.check is None else member.check.account,
            }
        )
        return
    print_table(
        ("Field", "Value"),
        (
            ("member", str(member.member_id)),
            ("version", str(member.version)),
            (
                "checked",
                ""
                if member.check is None
                else f"{member.check.at.isoformat(timespec='seconds')} {member.check.account}",
            ),
            *((name, text or "") for name, text in fields.items()),
        ),
    )


def change_as_json(change: MemberChange) -> dict[str, Any]:
    """A line of history."""
    return {
        "version": change.version,
        "field": change.change.column.value,
        "old": change.change.old,
        "new": change.change.new,
        "kind": change.kind.value,
        "effective": None if change.effective is None else change.effective.isoformat(),
        "at": change.at.isoformat(),
        "account": change.account,
        "reason": change.reason,
        "evidence": None if change.evidence is None else change.evidence.hex(),
    }
