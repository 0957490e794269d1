"""The commands ``membercard-issuer backup ...``: the whole register in one sealed file, and back."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from issuer.backup.archive import ArchiveSummary
from issuer.bootstrap_backup import RestoreStep, create_backup, restore_backup, verify_backup
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    standard_error,
    standard_output,
)
from issuer.cli_rights import needs_no_right
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from pki.keys.open import read_pin_file

__all__ = ["backup_app"]

_MIN_PASSPHRASE: Final = 8
_MAX_PASSPHRASE: Final = 255
_MAX_URL_BYTES: Final = 2048

_STEPS: Final[Mapping[RestoreStep, str]] = {
    RestoreStep.KEYSTORE: "bring the keystore back from its own copy: without it nobody's record opens",
    RestoreStep.UPGRADE: "run database upgrade",
    RestoreStep.NUMBERS: (
        "bring the newest mark of card numbers back, or run numbers recover; until then none is given out"
    ),
    RestoreStep.DELETIONS: "delete again whoever was deleted since the backup: their proofs name them",
    RestoreStep.CARDS: "look for cards that were made since the backup, and have them revoked",
    RestoreStep.AUDIT: "keep the old audit trail's proofs: audit verify will say audit.cut, and be right",
}

backup_app = typer.Typer(
    help="Database, portraits and documents in one sealed file, and back.", rich_markup_mode=None
)

BackupArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
PassphraseFileOption = Annotated[
    Path | None,
    typer.Option(
        help="File of mode 0600 with the backup's passphrase; absent: it is asked for, and not shown."
    ),
]


@backup_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-issuer --home office backup create --output /media/usb/2026-11-22.backup --passphrase-file /media/key/pass
""",
)
@needs_no_right(
    "it runs every night without a person, and whoever can read the home could copy it without a seal"
)
def backup_create_command(
    context: typer.Context,
    *,
    output: Annotated[Path, typer.Option(help="Where to write it; over no other file.")],
    passphrase_file: PassphraseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Copy the register into one sealed file, while others work with it.

    Keys, PINs, sessions and the marks of what was given out are not in it.
    """
    report = create_backup(
        command_context(context).home,
        output,
        passphrase=_passphrase(passphrase_file, is_new=True),
    )
    document = _document(report.summary, output)
    if output_format is OutputFormat.JSON:
        print_json(document | {"left_out": list(report.left_out)})
        return
    _print(document)
    standard_output().print(f"Not in it: {', '.join(report.left_out) or 'nothing'}.", markup=False)


@backup_app.command(
    "verify",
    epilog="""\b
Examples:
  membercard-issuer backup verify /media/usb/2026-11-22.backup --passphrase-file /media/key/pass
""",
)
@needs_no_right("it looks at no home, and whoever has the passphrase could open the file")
def backup_verify_command(
    file: BackupArgument,
    *,
    passphrase_file: PassphraseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Check every byte of a backup."""
    summary = verify_backup(file, passphrase=_passphrase(passphrase_file, is_new=False))
    document = _document(summary, file)
    if output_format is OutputFormat.JSON:
        print_json(document)
    else:
        _print(document)


@backup_app.command(
    "restore",
    epilog="""\b
Examples:
  membercard-issuer --home office-2 backup restore /media/usb/2026-11-22.backup --passphrase-file /media/key/pass
  membercard-issuer --home office-2 backup restore office.backup --database-file secrets/database.url
""",
)
@needs_no_right("it makes a home where there is none: nobody has an account there yet")
def backup_restore_command(
    context: typer.Context,
    file: BackupArgument,
    *,
    passphrase_file: PassphraseFileOption = None,
    database_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the URL of an empty PostgreSQL database, for a backup of one; it may hold a password."
        ),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make the home, which must not be there yet, from a backup, and say what people must do with it now."""
    home = command_context(context).home
    report = restore_backup(
        file,
        home,
        passphrase=_passphrase(passphrase_file, is_new=False),
        database_url=None if database_file is None else _read_url(database_file),
    )
    document = _document(report.summary, file)
    if output_format is OutputFormat.JSON:
        print_json(document | {"home": str(home), "steps": [step.value for step in report.steps]})
    else:
        _print(document | {"home": str(home)})
    for step in report.steps:
        standard_error().print(f"now: {_STEPS[step]} [{step}]", markup=False)
    standard_error().print("docs/backup.md, 'After restoring', says how", markup=False)


def _document(summary: ArchiveSummary, path: Path) -> dict[str, Any]:
    manifest = summary.manifest
    return {
        "file": str(path),
        "sha256": summary.digest.hex(),
        "created": manifest.created.isoformat(),
        "database": manifest.database.value,
        "revision": manifest.revision,
        "audit_sequence": manifest.sequence,
        "files": summary.members,
        "bytes": summary.content_bytes,
    }


def _print(document: Mapping[str, Any]) -> None:
    for name, value in document.items():
        standard_output().print(f"{name}: {value}", markup=False)


def _passphrase(path: Path | None, *, is_new: bool) -> str:
    """From a file that nobody else can read, or typed; never from command line or environment.

    Raises:
        KeystoreError: ``keystore.pin-file``: the file, or what is in it.
        IssuerRefusedError: ``backup.passphrase-missing``.
    """
    if path is not None:
        return read_pin_file(path)
    if not sys.stdin.isatty():
        raise IssuerRefusedError(
            "there is no terminal to ask for the passphrase at",
            code="backup.passphrase-missing",
            hint="--passphrase-file FILE",
        )
    typed = str(
        typer.prompt(
            "Passphrase of the backup", hide_input=True, confirmation_prompt=is_new, err=True
        )
    )
    if not (_MIN_PASSPHRASE <= len(typed) <= _MAX_PASSPHRASE and typed.isascii()):
        raise IssuerRefusedError(
            f"the passphrase has {len(typed)} characters, expected {_MIN_PASSPHRASE} to {_MAX_PASSPHRASE} of ASCII",
            code="backup.passphrase-missing",
        )
    return typed


def _read_url(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_URL_BYTES).decode().strip()
    except (OSError, ValueError) as error:
        raise IssuerUnavailableError(
            f"{path} cannot be read as the URL of a database", code="backup.database-file"
        ) from error
