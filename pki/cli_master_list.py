"""Commands for CSCA master lists: ``membercard-pki master-list verify|import|export``."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from pki.bootstrap import open_authority
from pki.bounded_files import read_bounded
from pki.certificates.anchor_policy import MAX_POLICY_BYTES
from pki.certificates.authority_path import fingerprint
from pki.certificates.certificate import MAX_CERTIFICATE_BYTES, MAX_LIST_BYTES
from pki.certificates.import_policy import ImportPolicy
from pki.certificates.master_list_signer import ListAuthorities
from pki.cli_context import AtOption, PinFileOption, command_context, moment_given
from pki.durable import replace_file
from pki.errors import PkiRefusedError, RecordError
from pki.presentation import (
    Document,
    FormatOption,
    OutputFormat,
    print_document,
    print_table,
)
from pki.services.master_list_export import MasterListExport
from pki.services.master_list_import import ImportPlan, plan_import
from pki.services.master_list_reading import (
    ListedCertificate,
    MasterListReport,
    verify_master_list,
)
from pki.signed.master_list import MAX_MASTER_LIST_BYTES, MasterList
from pki.trust_directory import TrustDirectory

__all__ = ["master_list_app"]

master_list_app = typer.Typer(
    help="CSCA master lists (Doc 9303-12): other states' and our own.", rich_markup_mode=None
)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The master list, in DER.")]
AuthorityOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--authority",
        help="A CSCA's certificate (DER) that is trusted to certify the list's signer.",
    ),
]
CrlOption = Annotated[
    list[Path] | None, typer.Option("--crl", help="A CRL (DER) of that authority.")
]


@master_list_app.command(
    "verify",
    epilog="""\b
Examples:
  membercard-pki master-list verify DE.ml --authority csca-germany.cer
  membercard-pki master-list verify DE.ml --authority csca-germany.cer --crl germany.crl --require-crl
  membercard-pki master-list verify DE.ml --trust trust --at 2026-11-22T08:00:00Z --format json
""",
)
def master_list_verify(
    file: FileArgument,
    *,
    trust: Annotated[
        Path | None,
        typer.Option(
            "--trust", help="Trust directory; what its policy.toml binds to master-lists counts."
        ),
    ] = None,
    authority: AuthorityOption = None,
    crl: CrlOption = None,
    require_crl: Annotated[
        bool, typer.Option("--require-crl", help="Refuse where no current CRL covers the signer.")
    ] = False,
    at: AtOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Verify a list, judge who signed it, and tell of each certificate why it can be used or not.

    Exit status: 0 the list and its signer hold, 1 the signer is not believed, 2 it is no list that can be read.
    """
    trusted = _trusted(trust, authority, crl)
    report = verify_master_list(
        read_bounded(file, MAX_MASTER_LIST_BYTES),
        trusted=trusted,
        at=moment_given(at),
        requires_crl=require_crl,
    )
    if output_format is OutputFormat.JSON:
        _print_json(_report_document(report))
    else:
        _print_report(file, report)
    if report.judgement is None:
        raise typer.Exit(PkiRefusedError.exit_code)


@master_list_app.command(
    "import",
    epilog="""\b
Examples:
  membercard-pki master-list import DE.ml --policy import.toml --authority csca-germany.cer --trust trust
  membercard-pki master-list import DE.ml --policy import.toml --authority csca-germany.cer --output germany --format json
""",
)
def master_list_import(
    file: FileArgument,
    *,
    policy: Annotated[
        Path, typer.Option("--policy", help="import.toml: what is trusted for which purpose.")
    ],
    trust: Annotated[
        Path | None,
        typer.Option(
            "--trust", help="The trust directory of terminals that gets the certificates."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="A directory of its own for them instead; made if absent."),
    ] = None,
    authority: AuthorityOption = None,
    crl: CrlOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Import what a policy names from a verified list that is newer than the last; nothing else becomes trusted.

    Exit status: 0 imported, 1 refused and nothing changed, 2 something cannot be read or written.
    """
    if (trust is None) == (output is None):
        raise typer.BadParameter("give one of them", param_hint="--trust, --output")
    rules = ImportPolicy.from_bytes(read_bounded(policy, MAX_POLICY_BYTES))
    der = read_bounded(file, MAX_MASTER_LIST_BYTES)
    trusted = _trusted(trust, authority, crl)
    directory = TrustDirectory(trust if trust is not None else output or Path())
    if output is not None and directory.has_policy:
        raise typer.BadParameter(
            "it holds a policy.toml, so it is a trust directory: --trust", param_hint="--output"
        )
    # What is refused leaves nothing behind, not even a directory: everything is judged before anything is made.
    report = verify_master_list(
        der, trusted=trusted, at=moment_given(None), requires_crl=rules.requires_crl
    )
    plan = plan_import(
        report, rules, present=directory.contents(rules.name, is_trust=trust is not None)
    )
    with directory.locked():
        plan = plan_import(
            report, rules, present=directory.contents(rules.name, is_trust=trust is not None)
        )
        directory.install(plan)
    if output_format is OutputFormat.JSON:
        _print_json(_plan_document(plan))
    else:
        _print_plan(plan, directory)


@master_list_app.command(
    "export",
    epilog="""\b
Examples:
  membercard-pki --home pki master-list export --output ours.ml
  membercard-pki --home pki master-list export --signer lists-1 --output ours.ml --format json
""",
)
def master_list_export(
    context: typer.Context,
    *,
    output: Annotated[Path, typer.Option("--output", help="Where to write the list.")],
    signer: Annotated[
        str | None,
        typer.Option(
            "--signer", help="Which master-list signer; the newest that may sign if absent."
        ),
    ] = None,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Sign a list of our own authorities' certificates and links; it is published in the home, too."""
    with open_authority(command_context(context).home, pin_file=pin_file) as authority:
        issued = MasterListExport(authority).issue(signer)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        replace_file(output, issued.der, mode=0o644)
    except OSError as error:
        raise RecordError(
            f"master list {str(output)!r} cannot be written: {error.strerror}",
            code="master-list.unwritable",
            hint="the list was issued: master-list/csca-1.ml in the home",
        ) from error
    print_document(_export_document(issued), output_format)


def _trusted(
    trust: Path | None, authorities: Sequence[Path] | None, crls: Sequence[Path] | None
) -> ListAuthorities:
    if trust is None and not authorities:
        raise typer.BadParameter(
            "say who is trusted to certify the list's signer", param_hint="--trust, --authority"
        )
    directory = None if trust is None else TrustDirectory(trust)
    return ListAuthorities.from_bytes(
        bound=() if directory is None else directory.certificates(),
        anchors=None if directory is None else directory.policy_anchors(),
        given=[read_bounded(path, MAX_CERTIFICATE_BYTES) for path in authorities or ()],
        crls=[
            *(() if directory is None else directory.crls()),
            *(read_bounded(path, MAX_LIST_BYTES) for path in crls or ()),
        ],
    )


def _report_document(report: MasterListReport) -> dict[str, object]:
    judgement = report.judgement
    return {
        "holds": judgement is not None,
        "code": report.code,
        "reason": report.reason,
        "at": _moment(report.at),
        "sha256": report.master_list.fingerprint,
        "signing_time": _moment(report.master_list.signing_time),
        "signer": report.signer,
        "authority": None if judgement is None else judgement.authority.name,
        "authority_sha256": None if judgement is None else fingerprint(judgement.authority.der),
        "current_crl": None if judgement is None else judgement.has_current_crl,
        "listed": len(report.master_list.listed),
        "duplicates": report.duplicates,
        "read": report.read,
        "usable": report.usable,
        "countries": dict(report.countries),
        "certificates": [_listed_document(item) for item in report.certificates],
    }


def _listed_document(item: ListedCertificate) -> dict[str, object]:
    return {
        "sha256": item.fingerprint,
        "name": item.name,
        "country": item.country,
        "kind": None if item.is_link is None else "link" if item.is_link else "root",
        "valid_from": _moment(item.not_before),
        "valid_until": _moment(item.not_after),
        "code": item.code,
        "reason": item.reason,
    }


def _print_report(file: Path, report: MasterListReport) -> None:
    judgement = report.judgement
    verdict = "the list holds" if judgement is not None else f"not believed [{report.code}]"
    _print(f"{file}: {verdict}")
    if report.reason is not None:
        _print(f"  {report.reason}")
    _print(f"  signed {_moment(report.master_list.signing_time)} by {report.signer}")
    if judgement is not None:
        crl = "a current CRL covers it" if judgement.has_current_crl else "no current CRL at hand"
        _print(f"  certified by {judgement.authority.name}; {crl}")
    _print(
        f"  {len(report.master_list.listed)} certificates of {len(report.countries)} countries, "
        f"{report.duplicates} twice, {report.read} read, {report.usable} usable"
    )
    for item in report.certificates:
        if item.code is not None:
            _print(f"  {item.fingerprint[:16]} {item.name or '?'}: {item.reason} [{item.code}]")


def _plan_document(plan: ImportPlan) -> dict[str, object]:
    return {
        "name": plan.record.name,
        "signing_time": _moment(plan.record.signing_time),
        "sha256": plan.record.list_fingerprint,
        "added": list(plan.added),
        "removed": list(plan.removed),
        "changed": list(plan.changed),
        "kept": plan.kept,
        "not_named": plan.not_named,
        "left_out": [
            {
                "sha256": item.fingerprint,
                "name": item.name,
                "code": item.code,
                "reason": item.reason,
            }
            for item in plan.left_out
        ],
        "trusted": {name: str(scope) for name, scope in sorted(plan.record.anchors.items())},
    }


def _print_plan(plan: ImportPlan, directory: TrustDirectory) -> None:
    names = {item.fingerprint: item.name for item in plan.certificates}
    _print(
        f"{directory.path}: {plan.record.name} of {_moment(plan.record.signing_time)}, "
        f"{len(plan.added)} added, {len(plan.removed)} removed, {len(plan.changed)} changed, {plan.kept} kept, "
        f"{plan.not_named} that no rule names"
    )
    for verb, fingerprints in (
        ("added  ", plan.added),
        ("changed", plan.changed),
        ("removed", plan.removed),
    ):
        for item in fingerprints:
            scope = plan.record.anchors.get(item)
            _print(
                f"  {verb} {item[:16]} {names.get(item) or ''}"
                + ("" if scope is None else f": {scope}")
            )
    for left in plan.left_out:
        _print(
            f"  left out {left.fingerprint[:16]} {left.name or '?'}: {left.reason} [{left.code}]"
        )


def _export_document(issued: MasterList) -> Document:
    return {
        "sha256": issued.fingerprint,
        "signing_time": _moment(issued.signing_time),
        "certificates": len(issued.listed),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _print(line: str) -> None:
    """Names come from outside: nothing in them may steer a terminal."""
    print_table(Text("".join(each if each.isprintable() else "\ufffd" for each in line)))


def _print_json(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
