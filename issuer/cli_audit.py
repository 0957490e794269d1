"""Commands of the audit trail: ``audit verify``, ``list``, ``show``, ``export`` and ``checkpoint``."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from issuer.audit_checkpoints import (
    ProcessNotary,
    SocketNotary,
    read_checkpoint,
)
from issuer.audit_files import read_trail, record_document, write_trail
from issuer.bootstrap import RegisterHome, open_register_home
from issuer.bootstrap_duties import audit_folder_of, audit_mark_of
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
    standard_error,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.domain.audit import AuditSubject
from issuer.domain.audit_chain import ChainedRecord, ChainHead
from issuer.domain.audit_check import AuditReport
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Right
from issuer.errors import IssuerUnavailableError
from issuer.private_files import private_text_file
from issuer.services.audit_checkpoints import AuditCheckpointing
from issuer.services.audit_office import MAX_PAGE, AuditOffice, check_trail
from issuer.services.audit_ports import AuditQuestion
from pki.log_files import read_file, read_log_key
from pki.record.transparency_proof import MAX_PROOF_BYTES

__all__ = ["audit_app"]

audit_app = typer.Typer(
    help="The audit trail: who did what, in a chain that shows every change.", rich_markup_mode=None
)


LogKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--log-key",
        help="File with the transparency log's key, as `membercard-pki log key` shows it.",
    ),
]


@audit_app.command(
    "verify",
    epilog="""\b
Examples:
  membercard-issuer --home office audit verify
  membercard-issuer --home office audit verify --checkpoint /media/usb/1200.tlog-proof --log-key /media/usb/log.key
  membercard-issuer audit verify --file trail.ndjson --checkpoint 1200.tlog-proof --log-key log.key
""",
)
@needs(Right.READ_AUDIT, by_use_case=True, unless="file")
def verify_command(
    context: typer.Context,
    *,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint that was kept elsewhere; may be given several times."),
    ] = None,
    log_key: LogKeyOption = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Check a file that `audit export` wrote, in place of the database."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Check the whole trail: every edit, gap, other order and cut tail is told.

    The home's own checkpoints and its mark are compared, too. The exit status is 1 where anything was found.
    """
    given = [read_file(path, MAX_PROOF_BYTES) for path in checkpoint or ()]
    key = None if log_key is None else read_log_key(log_key)
    if file is not None:
        anchors = [read_checkpoint(data, [] if key is None else [key]).head for data in given]
        with _reading(file) as (head, records):
            report = check_trail(head, records, anchors)
        _conclude(report, output_format, mark=None)
        return
    with open_register_home(command_context(context).home) as opened:
        folder = audit_folder_of(opened.home)
        keys = folder.keys() if key is None else [key]
        anchors = [read_checkpoint(data, keys).head for data in given]
        anchors += [each.head for each in folder.all()]
        mark = audit_mark_of(opened.home).read()
        if mark is not None:
            anchors.append(mark)
        report = _office(opened).verify(
            actor=command_context(context).actor, anchors=anchors, progress=_progress()
        )
    _conclude(report, output_format, mark=mark)


@audit_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office audit list
  membercard-issuer --home office audit list --account clerk-1 --since 2026-11-01
  membercard-issuer --home office audit list --subject card --subject-id 5f0c9d3e5f0c9d3e5f0c9d3e5f0c9d3e --format json
""",
)
@needs(Right.READ_AUDIT, by_use_case=True)
def list_command(
    context: typer.Context,
    *,
    account: Annotated[str | None, typer.Option(help="Who acted.")] = None,
    subject: Annotated[
        AuditSubject | None, typer.Option(help="What kind of thing it was about.")
    ] = None,
    subject_id: Annotated[
        str | None, typer.Option(help="Which one; together with --subject.")
    ] = None,
    organisation: Annotated[
        list[str] | None, typer.Option(help="Whose matter; may be given several times.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Not before this time, in UTC.")] = None,
    before: Annotated[
        int | None, typer.Option(min=1, help="Only records before this one: the next page.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="How many.")] = 50,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List records, newest first. They hold identifiers, codes and digests, and nobody's data."""
    if subject_id is not None and subject is None:
        raise typer.BadParameter("needs --subject", param_hint="--subject-id")
    question = AuditQuestion(
        subject=subject,
        subject_id=subject_id,
        account=None if account is None else AccountName(account),
        organisations=None
        if not organisation
        else [OrganisationCode(each) for each in organisation],
        since=None if since is None else since.replace(tzinfo=UTC),
    )
    with open_register_home(command_context(context).home) as opened:
        page = _office(opened).page(
            question, actor=command_context(context).actor, limit=limit, before=before
        )
    if output_format is OutputFormat.JSON:
        print_json(
            {"records": [record_document(each) for each in page.records], "before": page.end}
        )
        return
    print_table(
        ("Number", "Time", "Account", "Action", "Subject", "Organisation", "Details"),
        (_row(each) for each in page.records),
    )
    if page.end is not None:
        standard_error().print(f"There are more: --before {page.end}", markup=False)


@audit_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office audit show 1200
""",
)
@needs(Right.READ_AUDIT, by_use_case=True)
def show_command(
    context: typer.Context,
    sequence: Annotated[int, typer.Argument(min=1, help="The record's number.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show one record."""
    with open_register_home(command_context(context).home) as opened:
        record = _office(opened).show(sequence, actor=command_context(context).actor)
    document = record_document(record)
    if output_format is OutputFormat.JSON:
        print_json(document)
        return
    document["details"] = record.details
    print_table(
        ("Field", "Value"),
        ((name, "" if value is None else str(value)) for name, value in document.items()),
    )


@audit_app.command(
    "export",
    epilog="""\b
Examples:
  membercard-issuer --home office audit export trail.ndjson
""",
)
@needs(Right.READ_AUDIT, by_use_case=True)
def export_command(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="The file to be written.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write the whole trail to a file that `audit verify --file` checks elsewhere; that it was done is recorded."""
    with (
        open_register_home(command_context(context).home) as opened,
        private_text_file(out) as file,
    ):
        head = _office(opened).export(
            actor=command_context(context).actor,
            take=lambda head, records: write_trail(file, head, records),
        )
    if output_format is OutputFormat.JSON:
        print_json({"records": head.sequence, "digest": head.digest.hex(), "file": str(out)})
    else:
        standard_output().print(f"{head.sequence} records are in {out}.", markup=False)


@audit_app.command(
    "checkpoint",
    epilog="""\b
Examples:
  membercard-issuer --home office audit checkpoint --signer-socket /run/membercard/signer --log-key log.key
  membercard-issuer --home office audit checkpoint --signer-socket /run/membercard/signer --out /media/usb/trail.tlog-proof
  membercard-issuer --home office audit checkpoint --pki pki
""",
)
@needs(Right.OPERATE_SERVICE)
def checkpoint_command(
    context: typer.Context,
    *,
    pki: Annotated[
        Path | None, typer.Option(help="The authority's home, where no signer process runs.")
    ] = None,
    pki_pin_file: Annotated[
        Path | None, typer.Option(help="With --pki: file with the keystore's PIN.")
    ] = None,
    signer_socket: Annotated[Path | None, typer.Option(help="The signer process's socket.")] = None,
    log_key: LogKeyOption = None,
    out: Annotated[
        Path | None, typer.Option(help="A copy to be kept elsewhere, by somebody else.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Have the trail's end taken into the authority's transparency log: what is there now cannot change unseen.

    What came since the last checkpoint is checked first. The log's key is remembered when it is given once.
    """
    if (pki is None) == (signer_socket is None):
        raise typer.BadParameter("give either --pki or --signer-socket")
    with open_register_home(command_context(context).home) as opened:
        folder = audit_folder_of(opened.home)
        if log_key is not None:
            folder.remember_key(read_log_key(log_key))
        notary = (
            ProcessNotary(home=pki, pin_file=pki_pin_file, folder=folder)
            if pki is not None
            else SocketNotary(path=_socket(signer_socket), folder=folder)
        )
        made = AuditCheckpointing(
            register=opened.register, notary=notary, shelf=folder, clock=_now
        ).checkpoint(actor=command_context(context).actor)
    if out is not None:
        with private_text_file(out) as file:
            file.write(made.proof.decode())
    document = {
        "sequence": made.head.sequence,
        "digest": made.head.digest.hex(),
        "log": made.origin,
        "log_size": made.log_size,
        "file": None if out is None else str(out),
    }
    if output_format is OutputFormat.JSON:
        print_json(document)
    else:
        standard_output().print(
            f"Record {made.head.sequence} of the audit trail stands in {made.origin}.", markup=False
        )


def _office(opened: RegisterHome) -> AuditOffice:
    return AuditOffice(register=opened.register, clock=_now)


def _now() -> datetime:
    return datetime.now(UTC)


def _socket(path: Path | None) -> Path:
    if path is None:
        raise typer.BadParameter("missing", param_hint="--signer-socket")
    return path


def _row(record: ChainedRecord) -> Sequence[str]:
    cells = (
        str(record.sequence),
        f"{record.at:%Y-%m-%d %H:%M:%S}Z",
        record.account,
        record.action,
        f"{record.subject} {record.subject_id}",
        record.organisation or "",
        record.details,
    )
    # Somebody may have written to the table: nothing of it may steer the terminal.
    return ["".join(c if c.isprintable() else "?" for c in cell) for cell in cells]


def _conclude(report: AuditReport, output_format: OutputFormat, *, mark: ChainHead | None) -> None:
    checkpoints = report.anchors - (mark is not None)
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "trail": report.trail_id.hex(),
                "records": report.records,
                "last": report.last,
                "checkpoints": checkpoints,
                "mark": None if mark is None else mark.sequence,
                "anchored": report.anchored,
                "whole": report.is_whole,
                "faults": report.faults,
                "findings": [
                    {"code": each.fault.value, "record": each.sequence, "sentence": each.sentence}
                    for each in report.findings
                ],
            }
        )
    else:
        console = standard_output()
        for each in report.findings:
            console.print(f"{each.fault.value}: {each.sentence}", markup=False)
        console.print(
            f"{report.records} records, {checkpoints} checkpoints, {report.faults} faults."
        )
    if mark is not None and not checkpoints:
        standard_error().print(
            "warning: without a checkpoint, this home's own mark is all that stands against a trail that was "
            "computed anew, or cut together with its head: whoever can write to the home can change both"
        )
    elif not report.anchors:
        standard_error().print(
            "warning: without a checkpoint, a trail that was computed anew, or cut together with its head, passes"
        )
    elif report.is_whole and report.anchored < report.last:
        standard_error().print(
            f"note: what came behind record {report.anchored} has no checkpoint yet"
        )
    if not report.is_whole:
        raise typer.Exit(1)


def _progress() -> Callable[[int], None]:
    """Says how far it is, on a terminal only."""
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda count: standard_error().print(f"{count} records", end="\r")


@contextmanager
def _reading(path: Path) -> Iterator[tuple[ChainHead, Iterable[ChainedRecord]]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be read: {error.strerror}", code="file.unavailable"
        ) from error
    with file:
        yield read_trail(file)
