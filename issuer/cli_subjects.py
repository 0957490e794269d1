"""Commands of the people in the register: ``subject extract|correct|disclose|disclosures``, and ``breach list``."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_subjects import subjects_of
from issuer.cli_acts import read_evidence
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.cli_subject_deletion import (
    MemberArgument,
    ReferenceOption,
    deletion_app,
    write_privately,
)
from issuer.domain.breach import (
    AccountBreach,
    BreachScope,
    BundleBreach,
    OrganisationBreach,
    TouchedPerson,
    notice_due,
)
from issuer.domain.data_subjects import Disclosure, DisclosureGround
from issuer.domain.member import MemberId
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import AccountName, Right
from issuer.papers.subject_extract_pdf import extract_pdf
from issuer.private_files import private_text_file
from issuer.services.breach_list import BreachOffice

__all__ = ["breach_app", "subject_app"]

subject_app = typer.Typer(
    help="The rights of the people in the register (Law 91/2025/QH15).", rich_markup_mode=None
)
subject_app.add_typer(deletion_app)
breach_app = typer.Typer(help="A breach of personal data: whom it touches.", rich_markup_mode=None)

_BREACH_COLUMNS = (
    "member_id",
    "full_name",
    "organisation_code",
    "phone",
    "residence",
    "first_seen",
    "last_seen",
)


@subject_app.command(
    "extract",
    epilog="""\b
Examples:
  membercard-issuer --home office subject extract 0b9f... --reference "request of 2026-11-20" --json extract.json --pdf extract.pdf
""",
)
@needs(Right.SERVE_DATA_SUBJECTS, by_use_case=True)
def extract_command(
    context: typer.Context,
    member: MemberArgument,
    *,
    reference: ReferenceOption,
    json_file: Annotated[Path, typer.Option("--json", help="Where it is written for programs.")],
    pdf_file: Annotated[
        Path | None, typer.Option("--pdf", help="Where it is written for people.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write all that is held about one person, for that person. That it was given out is remembered."""
    with open_register_home(command_context(context).home) as opened:
        extract = subjects_of(opened).extract(
            MemberId(member), reference=reference, actor=command_context(context).actor
        )
    with private_text_file(json_file) as file:
        json.dump(extract.document(), file, ensure_ascii=False, indent=2)
    if pdf_file is not None:
        write_privately(pdf_file, extract_pdf(extract))
    document = {
        "member_id": str(member),
        "json": str(json_file),
        "pdf": None if pdf_file is None else str(pdf_file),
        "portrait": extract.portrait is not None,
    }
    if output_format is OutputFormat.JSON:
        print_json(document)
    else:
        standard_output().print(f"All that is held is in {json_file}.", markup=False)


@subject_app.command(
    "disclose",
    epilog="""\b
Examples:
  membercard-issuer --home office subject disclose 0b9f... --to "Inspection commission" --ground inspection --reference "12-CV" --what "name and standing"
""",
)
@needs(Right.SERVE_DATA_SUBJECTS, by_use_case=True)
def disclose_command(
    context: typer.Context,
    member: MemberArgument,
    *,
    to: Annotated[str, typer.Option(help="The office or body that was given the data.")],
    ground: Annotated[DisclosureGround, typer.Option(help="On what ground.")],
    reference: ReferenceOption,
    what: Annotated[str, typer.Option(help="Which part of the data, in a few words.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write down that somebody outside was given a person's data."""
    with open_register_home(command_context(context).home) as opened:
        disclosure = subjects_of(opened).disclose(
            MemberId(member),
            recipient=to,
            ground=ground,
            reference=reference,
            what=what,
            actor=command_context(context).actor,
        )
    if output_format is OutputFormat.JSON:
        print_json(_disclosure_document(disclosure))
    else:
        standard_output().print("It is written down.")


@subject_app.command(
    "disclosures",
    epilog="""\b
Examples:
  membercard-issuer --home office subject disclosures 0b9f...
""",
)
@needs(Right.SERVE_DATA_SUBJECTS, by_use_case=True)
def disclosures_command(
    context: typer.Context,
    member: MemberArgument,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List to whom a person's data was given."""
    with open_register_home(command_context(context).home) as opened:
        found = subjects_of(opened).disclosures(
            MemberId(member), actor=command_context(context).actor
        )
    documents = [_disclosure_document(each) for each in found]
    if output_format is OutputFormat.JSON:
        print_json(documents)
    else:
        print_table(
            ("Time", "Recipient", "Ground", "Reference", "What", "Account"),
            (tuple(each.values()) for each in documents),
        )


@subject_app.command(
    "correct",
    epilog="""\b
Examples:
  membercard-issuer --home office subject correct 0b9f... --set residence="thôn Giả, xã Mẫu" --version 1 --reference "letter 8"
  membercard-issuer --home office subject correct 0b9f... --set phone= --version 2 --reference "letter 9" --evidence letter.pdf
""",
)
@needs(Right.SERVE_DATA_SUBJECTS, by_use_case=True)
def correct_command(
    context: typer.Context,
    member: MemberArgument,
    *,
    values: Annotated[
        list[str],
        typer.Option("--set", help="FIELD=VALUE as in a member list; an empty VALUE empties it."),
    ],
    version: Annotated[
        int, typer.Option(min=1, help="The version of the record that was looked at.")
    ],
    reference: ReferenceOption,
    evidence: Annotated[
        Path | None, typer.Option(help="The document that proves it: PDF, JPEG or PNG.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Put right what the person says is wrong; the record keeps what it was before, when and why it changed."""
    wanted = dict(_field(each) for each in values)
    document = None if evidence is None else read_evidence(evidence)
    with open_register_home(command_context(context).home) as opened:
        corrected = subjects_of(opened).correct(
            MemberId(member),
            wanted,
            version=version,
            reference=reference,
            evidence=document,
            actor=command_context(context).actor,
        )
    if output_format is OutputFormat.JSON:
        print_json({"member_id": str(member), "version": corrected.version})
    else:
        standard_output().print(f"The record is at version {corrected.version}.")


@breach_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office breach list --organisation P-01 --out touched.csv
  membercard-issuer --home office breach list --account clerk-7 --since 2026-11-01T08:00:00 --discovered 2026-11-22T09:00:00 --out touched.csv
  membercard-issuer --home office breach list --bundle 5f0c9d3e --out touched.csv
""",
)
@needs(Right.SERVE_DATA_SUBJECTS, by_use_case=True)
def breach_command(
    context: typer.Context,
    *,
    out: Annotated[
        Path, typer.Option(help="The list, as csv for its owner only; - for the standard output.")
    ],
    organisation: Annotated[
        str | None, typer.Option(help="All that this organisation and those below it can see.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="All that this account was shown, or changed; with --since.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="With --account: from when on, in UTC.")
    ] = None,
    bundle: Annotated[str | None, typer.Option(help="All that was written to this bundle.")] = None,
    discovered: Annotated[
        datetime | None,
        typer.Option(
            help="When the breach was found, in UTC; else now. The notice is due 72 hours later."
        ),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List everybody whom a breach touches, with how to reach them, and until when they are to be told."""
    scope = _scope(organisation, account, since, bundle)
    due = notice_due(_now() if discovered is None else discovered.replace(tzinfo=UTC))
    with open_register_home(command_context(context).home) as opened:
        touched = BreachOffice(register=opened.register, clock=_now).touched(
            scope, actor=command_context(context).actor
        )
        if str(out) == "-":
            count = _write_list(sys.stdout, touched)
        else:
            with private_text_file(out) as file:
                count = _write_list(file, touched)
    if str(out) == "-":
        return
    if output_format is OutputFormat.JSON:
        print_json({"touched": count, "notice_due": due.isoformat(), "file": str(out)})
    else:
        standard_output().print(
            f"{count} people are in {out}; the notice is due by {due:%Y-%m-%d %H:%M}Z.",
            markup=False,
        )


def _now() -> datetime:
    return datetime.now(UTC)


def _scope(
    organisation: str | None, account: str | None, since: datetime | None, bundle: str | None
) -> BreachScope:
    if organisation is not None and account is None and since is None and bundle is None:
        return OrganisationBreach(organisation=parse_organisation_code(organisation))
    if account is not None and since is not None and organisation is None and bundle is None:
        return AccountBreach(account=AccountName(account), since=since.replace(tzinfo=UTC))
    if bundle is not None and organisation is None and account is None and since is None:
        return BundleBreach(bundle=bundle)
    raise typer.BadParameter("give --organisation, or --account with --since, or --bundle")


def _disclosure_document(disclosure: Disclosure) -> dict[str, str]:
    return {
        "at": disclosure.at.isoformat(),
        "recipient": disclosure.recipient,
        "ground": disclosure.ground.value,
        "reference": disclosure.reference,
        "what": disclosure.what,
        "account": disclosure.account,
    }


def _write_list(file: TextIO, touched: Iterable[TouchedPerson]) -> int:
    writer = csv.writer(file)
    writer.writerow(_BREACH_COLUMNS)
    count = 0
    for row in _rows(touched):
        writer.writerow(row)
        count += 1
    return count


def _rows(touched: Iterable[TouchedPerson]) -> Iterator[tuple[Any, ...]]:
    for each in touched:
        seen = tuple("" if time is None else time.isoformat() for time in (each.first, each.last))
        if each.member is None:
            yield (str(each.member_id), "", "", "", "", *seen)
            continue
        stated = each.member.statement
        yield (
            str(each.member_id),
            _no_formula(stated.name.full),
            stated.organisation_code,
            stated.phone or "",
            _no_formula(stated.residence or ""),
            *seen,
        )


def _no_formula(text: str) -> str:
    """Spreadsheets run what begins like a formula."""
    return f"'{text}" if text[:1] in "=+-@" and text else text


def _field(text: str) -> tuple[MemberColumn, str | None]:
    name, equals, value = text.partition("=")
    if not equals or name not in set(MemberColumn):
        raise typer.BadParameter(
            f"expected FIELD=VALUE with one of {', '.join(sorted(MemberColumn))}",
            param_hint="--set",
        )
    return MemberColumn(name), value or None
