"""Commands for trust bundles: ``membercard-verifier bundle build|show|verify|approve|install|approver``."""

from pathlib import Path
from typing import Annotated, Final

import typer

from pki.durable import create_file, replace_file
from pki.errors import PkiError
from pki.keys.open import read_pin_file
from pki.signed.trust_bundle import TrustBundle, write_bundle_draft
from verifier.errors import TrustError
from verifier.output import FormatOption, OutputFormat, print_json
from verifier.presentation import printable, standard_output
from verifier.trust.approvals import Approval, create_approver_key, statement
from verifier.trust.bundle_assembly import assemble_bundle
from verifier.trust.bundle_install import (
    BundleReport,
    install_bundle,
    new_anchors_of,
    read_bundle,
    read_bundle_file,
    verify_bundle,
)

__all__ = [
    "ApprovalOption",
    "BundleArgument",
    "TrustOption",
    "bundle_app",
    "print_bundle_document",
    "read_approvals",
    "read_key_file",
    "read_pin",
    "report_document",
    "write_result",
]

bundle_app = typer.Typer(
    help="Trust bundles: what a terminal trusts, in one signed file.", rich_markup_mode=None
)

_MAX_KEY_BYTES: Final = 16384

BundleArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The bundle, or a delta to it.")
]
TrustOption = Annotated[
    Path,
    typer.Option(
        help="The terminal's trust directory.",
        envvar="MEMBERCARD_VERIFIER_TRUST",
    ),
]
ApprovalOption = Annotated[
    list[Path] | None,
    typer.Option("--approval", help="What an approver wrote; two for new trust anchors."),
]


@bundle_app.command(
    "build",
    epilog="""\b
Examples:
  membercard-verifier bundle build --trust export --output terminals.draft
  membercard-verifier bundle build --trust export --cv pki/card-verifiable --checkpoint pki/checkpoint --output terminals.draft""",
)
def bundle_build(
    *,
    trust: Annotated[
        Path, typer.Option(help="What `membercard-pki trust export` wrote, with the policy.")
    ],
    output: Annotated[Path, typer.Option(help="Where to write the draft.")],
    cv: Annotated[
        Path | None, typer.Option(help="Folder with CV certificates: card-verifiable/ of the PKI.")
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="The log's newest checkpoint.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Assemble what terminals are to trust; `membercard-pki trust-bundle issue` signs it."""
    files = assemble_bundle(trust, card_verifiable=cv, checkpoint=checkpoint)
    draft = write_bundle_draft(files)
    write_result(output, draft)
    print_bundle_document(
        {"files": sorted(files), "bytes": len(draft)},
        output_format,
    )


@bundle_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-verifier bundle show csca-1.bundle
  membercard-verifier bundle show csca-1.bundle --format json""",
)
def bundle_show(file: BundleArgument, *, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """Say what is in a bundle; whether this terminal would take it, `verify` finds out."""
    try:
        bundle = TrustBundle.from_bytes(read_bundle_file(file))
    except PkiError as error:
        raise TrustError(str(error), code=error.code) from error
    print_bundle_document({**_document(bundle), "files": list(bundle.files)}, output_format)


@bundle_app.command(
    "verify",
    epilog="""\b
Examples:
  membercard-verifier bundle verify csca-1.bundle --trust trust
  membercard-verifier bundle verify csca-1-8.delta --trust trust --format json""",
)
def bundle_verify(
    file: BundleArgument,
    *,
    trust: TrustOption,
    approval: ApprovalOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Find out whether this terminal would install a bundle, and change nothing that counts."""
    bundle = read_bundle(read_bundle_file(file), trust)
    print_bundle_document(
        report_document(verify_bundle(bundle, trust, read_approvals(approval))), output_format
    )


@bundle_app.command(
    "install",
    epilog="""\b
Examples:
  membercard-verifier bundle install csca-1.bundle --trust trust
  membercard-verifier bundle install csca-1-8.delta --trust trust
  membercard-verifier bundle install csca-1.bundle --trust trust --approval lan.json --approval binh.json""",
)
def bundle_install(
    file: BundleArgument,
    *,
    trust: TrustOption,
    approval: ApprovalOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Install a bundle: whole or not at all, and only one that is newer and vouched for."""
    bundle = read_bundle(read_bundle_file(file), trust)
    print_bundle_document(
        report_document(install_bundle(bundle, trust, read_approvals(approval))), output_format
    )


@bundle_app.command(
    "approve",
    epilog="""\b
Examples:
  membercard-verifier bundle approve csca-1.bundle --trust trust --name Lan --key lan.pem --pin-file lan.pin --output lan.json""",
)
def bundle_approve(
    file: BundleArgument,
    *,
    trust: TrustOption,
    name: Annotated[str, typer.Option(help="The approver's name, as in approvers.toml.")],
    key: Annotated[Path, typer.Option(help="The approver's own key.")],
    pin_file: Annotated[Path, typer.Option(help="File with the PIN of that key.")],
    output: Annotated[Path, typer.Option(help="Where to write the approval.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Approve the new trust anchors of a bundle; read what it prints, and compare it with what you were told."""
    bundle = read_bundle(read_bundle_file(file), trust)
    new = new_anchors_of(bundle, trust)
    approval = Approval.make(
        name=name,
        key_file=read_key_file(key),
        pin=read_pin(pin_file),
        stated=statement(bundle.fingerprint, new),
    )
    write_result(output, approval.to_bytes())
    print_bundle_document(
        {**_document(bundle), "new_anchors": list(new), "approved_by": name}, output_format
    )


@bundle_app.command(
    "approver",
    epilog="""\b
Examples:
  membercard-verifier bundle approver --name Lan --key lan.pem --pin-file lan.pin""",
)
def bundle_approver(
    *,
    name: Annotated[str, typer.Option(help="The approver's name.")],
    key: Annotated[
        Path, typer.Option(help="Where to write the approver's key; never overwritten.")
    ],
    pin_file: Annotated[Path, typer.Option(help="File with the PIN that the approver chose.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make an approver's key; what it prints goes into approvers.toml of each terminal."""
    content, public_key = create_approver_key(read_pin(pin_file))
    try:
        create_file(key, content)
    except OSError as error:
        raise _unwritable(key, error) from error
    print_bundle_document({"name": name, "key": public_key}, output_format)


def read_approvals(paths: list[Path] | None) -> list[Approval]:
    """What approvers wrote.

    Raises:
        TrustError: ``bundle.approval-invalid``.
    """
    return [Approval.from_bytes(read_key_file(path)) for path in paths or ()]


def report_document(report: BundleReport) -> dict[str, object]:
    """What a bundle changed, or would change."""
    return {
        **_document(report.bundle),
        "before": None if report.before is None else report.before.number,
        "new_anchors": list(report.new_anchors),
        "approved_by": list(report.approved_by),
    }


def _document(bundle: TrustBundle) -> dict[str, object]:
    return {
        "number": bundle.number,
        "sha256": bundle.fingerprint,
        "this_update": f"{bundle.this_update:%Y-%m-%dT%H:%M:%SZ}",
        "next_update": f"{bundle.next_update:%Y-%m-%dT%H:%M:%SZ}",
        "signer": bundle.signer.name,
        "bytes": len(bundle.der),
    }


def print_bundle_document(document: dict[str, object], output_format: OutputFormat) -> None:
    """Print it, lists item by item."""
    if output_format is OutputFormat.JSON:
        print_json(document)
        return
    console = standard_output()
    for key, value in document.items():
        for item in value if isinstance(value, list) else [value]:
            console.print(
                f"{key.replace('_', ' '):<14}{printable('-' if item is None else str(item))}"
            )


def read_key_file(path: Path) -> bytes:
    """A file of an approver's, within bounds.

    Raises:
        TrustError: ``bundle.approval-invalid``.
    """
    try:
        with path.open("rb") as file:
            return file.read(_MAX_KEY_BYTES)
    except OSError as error:
        raise TrustError(
            f"{path}: cannot be read ({error.strerror})", code="bundle.approval-invalid"
        ) from error


def read_pin(path: Path) -> str:
    """The PIN of an approver's key.

    Raises:
        TrustError: ``bundle.approval-invalid``.
    """
    try:
        return read_pin_file(path)
    except PkiError as error:
        raise TrustError(str(error), code="bundle.approval-invalid", hint=error.hint) from error


def write_result(path: Path, content: bytes) -> None:
    """Write what a command gives, whole or not at all.

    Raises:
        TrustError: ``bundle.unwritable``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content, mode=0o644)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> TrustError:
    return TrustError(f"{path} cannot be written: {error.strerror}", code="bundle.unwritable")
