"""Commands of bundles: export, import, list."""

from pathlib import Path
from typing import Annotated, Final

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_bundles import exchange_of, looking_at_instances, open_bundle_import
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.domain.instances import parse_instance_name
from issuer.domain.rights import Right
from issuer.errors import IssuerUnavailableError
from issuer.services.bundle_ports import BundleRecord
from issuer.services.import_bundle import ImportReport
from issuer.storage.durable import write_durably
from pki.signed.sealed_envelope import MAX_SEALED_BYTES

__all__ = ["bundles_app"]

_LISTED: Final = 200
_CONFLICTS: Final = 1

bundles_app = typer.Typer(
    help="Bundles between registers: signed, sealed files.", rich_markup_mode=None
)


@bundles_app.command(
    "export",
    epilog="""\b
Examples:
  membercard-issuer --home office bundle export tinh-uy --out stick
  membercard-issuer --home office bundle export tinh-uy --out stick --again 7
""",
)
@needs(Right.EXCHANGE_BUNDLES, by_use_case=True)
def export_command(
    context: typer.Context,
    instance: Annotated[str, typer.Argument(metavar="INSTANCE", help="For which instance.")],
    *,
    out: Annotated[Path, typer.Option(help="The folder in which to write the file.")],
    again: Annotated[
        int | None,
        typer.Option(min=1, metavar="NUMBER", help="Write this bundle once more: it was lost."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write all that the other instance does not know yet, as one or more files that only it can open."""
    actor = command_context(context).actor
    name = parse_instance_name(instance)
    written: list[tuple[Path, BundleRecord]] = []
    with open_register_home(command_context(context).home) as opened:
        exporting = exchange_of(opened).exporting
        while True:
            made = (
                exporting.export(name, actor=actor)
                if again is None
                else exporting.again(name, again, actor=actor)
            )
            if made is None:
                break
            sender = exporting.own.name
            path = out / f"{sender}-{name}-{made.record.sequence:08}.bundle"
            _write(path, made.content)
            written.append((path, made.record))
            if not made.has_more:
                break
    if output_format is OutputFormat.JSON:
        print_json(
            {"bundles": [{"file": str(path), **_as_json(record)} for path, record in written]}
        )
    elif not written:
        standard_output().print(f"There is nothing to tell {name}.", markup=False)
    for path, record in written if output_format is OutputFormat.TEXT else ():
        standard_output().print(
            f"{path}: bundle {record.sequence} to {name}, {_counted(record)}.", markup=False
        )


@bundles_app.command(
    "import",
    epilog="""\b
Examples:
  membercard-issuer --home office bundle import stick/xa-mau-tinh-uy-00000007.bundle
  membercard-issuer --home office bundle import stick/*.bundle --format json
""",
)
@needs(Right.EXCHANGE_BUNDLES, by_use_case=True)
def import_command(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Bundles, in the order of their numbers."),
    ],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take bundles, each whole or not at all; one that was taken before changes nothing.

    The exit status is 1 where something contradicts this register: it was put on the list of conflicts.
    """
    actor = command_context(context).actor
    reports: list[ImportReport] = []
    with (
        open_register_home(command_context(context).home) as opened,
        open_bundle_import(opened) as importing,
    ):
        for path in files:
            report = importing.take(_read(path), actor=actor)
            reports.append(report)
            if output_format is OutputFormat.TEXT:
                _tell(path, report)
    if output_format is OutputFormat.JSON:
        print_json({"bundles": [_report_as_json(each) for each in reports]})
    if any(report.conflicts for report in reports):
        raise typer.Exit(_CONFLICTS)


@bundles_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office bundle list
  membercard-issuer --home office bundle list --instance xa-mau --format json
""",
)
@needs(Right.READ_ORGANISATIONS, by_use_case=True)
def list_bundles_command(
    context: typer.Context,
    *,
    instance: Annotated[str | None, typer.Option(help="Only those to and from this one.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List the bundles that were made and taken, the newest first; those of one's own part of the tree."""
    actor = command_context(context).actor
    name = None if instance is None else parse_instance_name(instance)
    with open_register_home(command_context(context).home) as opened:
        looking = looking_at_instances(opened)
        found = looking.bundles(actor=actor, limit=_LISTED, name=name).bundles
    if output_format is OutputFormat.JSON:
        print_json({"bundles": [_as_json(each) for each in found]})
        return
    print_table(
        ("Instance", "Way", "Number", "When", "Who", "What"),
        (
            (
                each.instance,
                each.direction.value,
                str(each.sequence),
                each.at.isoformat(timespec="seconds"),
                each.account,
                _counted(each),
            )
            for each in found
        ),
    )


def _tell(path: Path, report: ImportReport) -> None:
    record = report.record
    before = ", which was taken before" if report.is_repeated else ""
    standard_output().print(
        f"{path}: bundle {record.sequence} of {record.instance}{before}: {_counted(record)}.",
        markup=False,
    )
    for each in report.conflicts:
        columns = f" ({', '.join(each.columns)})" if each.columns else ""
        standard_output().print(
            f"  {each.kind} {each.subject_id}: {each.sentence}{columns} [{each.code}]", markup=False
        )


def _counted(record: BundleRecord) -> str:
    counts = [f"{count} {name}" for name, count in sorted(record.counts.items()) if count]
    return ", ".join(counts) or "nothing"


def _as_json(record: BundleRecord) -> dict[str, object]:
    return {
        "instance": record.instance,
        "direction": record.direction.value,
        "sequence": record.sequence,
        "sha256": record.digest.hex(),
        "at": record.at.isoformat(),
        "account": record.account,
        "counts": dict(record.counts),
    }


def _report_as_json(report: ImportReport) -> dict[str, object]:
    return {
        **_as_json(report.record),
        "is_repeated": report.is_repeated,
        "conflicts": [
            {
                "kind": each.kind,
                "id": each.subject_id,
                "code": each.code,
                "sentence": each.sentence,
                "columns": list(each.columns),
            }
            for each in report.conflicts
        ],
    }


def _read(path: Path) -> bytes:
    """At most one byte more than a bundle can have, so that whoever reads it refuses what is longer."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_SEALED_BYTES + 1)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be read: {error.strerror}", code="file.unavailable"
        ) from error


def _write(path: Path, content: bytes) -> None:
    try:
        write_durably(path, content)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be written: {error.strerror}",
            code="file.unavailable",
            hint="the bundle is kept: bundle export INSTANCE --again NUMBER",
        ) from error
