"""The commands ``membercard-pki backup ...``: token, journal, log and database in one sealed file, and back."""

import getpass
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from pki.bootstrap_backup import BackupReport, create_backup, restore_backup, verify_backup
from pki.cli_context import command_context
from pki.cli_service import DatabaseFileOption, DatabaseOption
from pki.errors import KeystoreError
from pki.keys.open import read_pin_file
from pki.log_files import read_file, read_log_key
from pki.presentation import (
    Document,
    FormatOption,
    OutputFormat,
    print_document,
    print_warning,
)
from pki.record.transparency_note import MAX_NOTE_BYTES

__all__ = ["backup_app"]

_MIN_PASSPHRASE: Final = 8
_MAX_PASSPHRASE: Final = 255

backup_app = typer.Typer(
    help="Token, journal, log and database in one sealed file, and back.", rich_markup_mode=None
)

PassphraseFileOption = Annotated[
    Path | None,
    typer.Option(
        help="File of mode 0600 with the backup's passphrase; absent: it is asked for, and not shown."
    ),
]
BackupArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


@backup_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-pki --home pki backup create --output /media/usb/2026-11-22.backup --passphrase-file /media/key/backup.pass
  membercard-pki --home pki backup create --output pki.backup --database postgresql:///membercard_pki
""",
)
def backup_create(
    context: typer.Context,
    *,
    output: Annotated[Path, typer.Option(help="Where to write it; over no other file.")],
    passphrase_file: PassphraseFileOption = None,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Copy the home and its database into one sealed file; the signer process is stopped meanwhile."""
    home = command_context(context).home
    home.settings()
    passphrase = _passphrase(passphrase_file, is_new=True)
    report = create_backup(
        home, output, passphrase=passphrase, url=database, url_file=database_file
    )
    root = home.settings().root_keystore
    if root is not None and report.manifest.root_keystore is None:
        print_warning(
            f"the root's keystore {root} is not there and not in the backup: back it up apart"
        )
    print_document(_document(report, output), output_format)


@backup_app.command(
    "verify",
    epilog="""\b
Examples:
  membercard-pki backup verify /media/usb/2026-11-22.backup --passphrase-file /media/key/backup.pass
  membercard-pki backup verify pki.backup --format json
""",
)
def backup_verify(
    file: BackupArgument,
    *,
    passphrase_file: PassphraseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Check every byte of a backup; needs no home and no PIN."""
    report = verify_backup(file, passphrase=_passphrase(passphrase_file, is_new=False))
    print_document(_document(report, file), output_format)


@backup_app.command(
    "restore",
    epilog="""\b
Examples:
  membercard-pki --home pki backup restore /media/usb/2026-11-22.backup --passphrase-file /media/key/backup.pass
  membercard-pki --home pki backup restore pki.backup --pin-file secrets/pki.pin --checkpoint 2026-11-21.checkpoint --key log.key
""",
)
def backup_restore(
    context: typer.Context,
    file: BackupArgument,
    *,
    passphrase_file: PassphraseFileOption = None,
    pin_file: Annotated[
        Path | None,
        typer.Option(help="Where the keystore's PIN is from now on; absent: where it was."),
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint kept elsewhere that the backup must fit; several times."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="File with the log's key, kept elsewhere.")
    ] = None,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    without_database: Annotated[
        bool,
        typer.Option("--without-database", help="The database itself survived: leave it alone."),
    ] = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make the home from a backup: its document signers are retired, numbers jump, the log begins an epoch."""
    directory = command_context(context).home.directory
    report = restore_backup(
        file,
        directory,
        passphrase=_passphrase(passphrase_file, is_new=False),
        pin_file=pin_file,
        kept=[read_file(path, MAX_NOTE_BYTES) for path in checkpoint or []],
        key=None if key is None else read_log_key(key),
        url=database,
        url_file=database_file,
        with_database=not without_database,
    )
    print_document(
        {
            "home": str(directory),
            "created": report.manifest.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "head": report.manifest.head.to_text(),
            "leaves": report.manifest.leaves,
            "epoch": report.epoch,
            "log_origin": report.origin,
            "retired_signers": ", ".join(report.retired) or None,
            "list_numbers_above": report.list_number,
            "requests": report.requests,
        },
        output_format,
    )
    print_warning(
        "what was signed after the backup is unknown here: docs/pki.md, 'Backup and restore', says what to do now"
    )


def _document(report: BackupReport, path: Path) -> Document:
    manifest = report.manifest
    return {
        "file": str(path),
        "sha256": report.digest.hex(),
        "created": manifest.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "head": manifest.head.to_text(),
        "leaves": manifest.leaves,
        "root": manifest.root.hex(),
        "files": len(manifest.members),
        "bytes": manifest.total_bytes,
        "database": report.has_database,
        "root_keystore": manifest.root_keystore,
    }


def _passphrase(path: Path | None, *, is_new: bool) -> str:
    """From a file that nobody else can read, or typed; never from command line or environment.

    Raises:
        KeystoreError: ``keystore.pin-file``: the file, or what is in it; ``backup.passphrase-missing``.
    """
    if path is not None:
        return read_pin_file(path)
    if not sys.stdin.isatty():
        raise KeystoreError(
            "there is no terminal to ask for the passphrase at",
            code="backup.passphrase-missing",
            hint="give --passphrase-file FILE",
        )
    typed = getpass.getpass("Passphrase of the backup: ")
    if is_new and getpass.getpass("Once more: ") != typed:
        raise KeystoreError(
            "the two passphrases differ", code="backup.passphrase-missing", hint="begin anew"
        )
    if not (_MIN_PASSPHRASE <= len(typed) <= _MAX_PASSPHRASE and typed.isascii()):
        raise KeystoreError(
            f"the passphrase has {len(typed)} characters, expected {_MIN_PASSPHRASE} to {_MAX_PASSPHRASE} of ASCII",
            code="backup.passphrase-missing",
        )
    return typed
