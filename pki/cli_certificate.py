"""The command ``membercard-pki certificate verify``: why a path holds, or why not, step by step."""

import json
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from pki.certificates.certificate import MAX_CERTIFICATE_BYTES, MAX_LIST_BYTES
from pki.certificates.path import PathProfile
from pki.errors import PkiDataError, PkiRefusedError
from pki.presentation import FormatOption, OutputFormat, print_table
from pki.services.path_explaining import PathExplanation, TrustBytes, explain_path
from pki.signed.stop_list import MAX_STOP_LIST_BYTES

__all__ = ["certificate_app"]

_MAX_FILES: Final = 256

certificate_app = typer.Typer(
    help="Anybody's certificates, judged by a trust directory.", rich_markup_mode=None
)


@certificate_app.callback()
def _certificate() -> None:
    """Keep ``verify`` a verb of its own, though it is the only one."""


@certificate_app.command(
    "verify",
    epilog="""\b
Examples:
  membercard-pki certificate verify ds-1.cer --trust trust
  membercard-pki certificate verify ds-1.cer ds-2.cer --trust trust --at 2026-11-22T08:00:00Z
  membercard-pki certificate verify server.cer --trust others --profile rfc-5280 --untrusted middle.cer --format json
""",
)
def certificate_verify(
    files: Annotated[list[Path], typer.Argument(help="Certificates in DER.")],
    *,
    trust: Annotated[
        Path, typer.Option("--trust", help="Trust directory with csca/, crl/ and stop/.")
    ],
    at: Annotated[
        str | None, typer.Option("--at", help="When, as 2026-11-22T08:00:00Z; now if not given.")
    ] = None,
    profile: Annotated[
        PathProfile,
        typer.Option(
            help="doc-9303: document signers, as a terminal judges them; else any certificate."
        ),
    ] = PathProfile.DOC_9303,
    untrusted: Annotated[
        list[Path] | None,
        typer.Option(
            "--untrusted", help="A certificate in DER that may stand between; not for doc-9303."
        ),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Judge certificates by a trust directory and tell every step. What policy.toml binds authorities to needs a card.

    Exit status: 0 every path holds, 1 one does not, 2 a file cannot be read.
    """
    if untrusted and profile is PathProfile.DOC_9303:
        raise typer.BadParameter(
            "a path has one certificate under doc-9303", param_hint="--untrusted"
        )
    moment = _moment(at)
    trusted = TrustBytes(
        certificates=_folder(trust / "csca", ".cer", MAX_CERTIFICATE_BYTES),
        crls=_folder(trust / "crl", ".crl", MAX_LIST_BYTES),
        stop_lists=_folder(trust / "stop", ".stop", MAX_STOP_LIST_BYTES),
    )
    found = [
        (
            path,
            explain_path(
                _read(path, MAX_CERTIFICATE_BYTES),
                trusted=trusted,
                profile=profile,
                at=moment,
                intermediates=[_read(item, MAX_CERTIFICATE_BYTES) for item in untrusted or ()],
            ),
        )
        for path in files
    ]
    if output_format is OutputFormat.JSON:
        documents = [_document(path, item, moment) for path, item in found]
        sys.stdout.write(json.dumps(documents, ensure_ascii=False, indent=2) + "\n")
    else:
        for path, item in found:
            _print(path, item)
    if any(item.code is not None for _, item in found):
        raise typer.Exit(PkiRefusedError.exit_code)


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            "expected a time as 2026-11-22T08:00:00Z", param_hint="--at"
        ) from error
    if moment.tzinfo is None:
        raise typer.BadParameter("the time has no zone; a Z at its end is UTC", param_hint="--at")
    return moment.astimezone(UTC)


def _folder(directory: Path, suffix: str, maximum_bytes: int) -> tuple[bytes, ...]:
    """The files of one kind; a directory that is not there holds none."""
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix.lower() == suffix)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unreadable(directory, error.strerror or "it cannot be listed") from error
    if len(paths) > _MAX_FILES:
        raise _unreadable(directory, f"it holds {len(paths)} files, expected at most {_MAX_FILES}")
    return tuple(_read(path, maximum_bytes) for path in paths)


def _read(path: Path, maximum_bytes: int) -> bytes:
    try:
        # A pipe or a device would never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _unreadable(path, "it is not a file")
        with path.open("rb") as file:
            content = file.read(maximum_bytes + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or "it cannot be read") from error
    if len(content) > maximum_bytes:
        raise _unreadable(path, f"it is longer than {maximum_bytes} bytes")
    return content


def _document(path: Path, item: PathExplanation, moment: datetime) -> dict[str, object]:
    return {
        "file": str(path),
        "at": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "holds": item.code is None,
        "code": item.code,
        "path": list(item.path),
        "steps": [
            {
                "subject": step.subject,
                "check": step.check,
                "sentence": step.sentence,
                "code": step.code,
            }
            for step in item.steps
        ],
    }


def _print(path: Path, item: PathExplanation) -> None:
    verdict = "the path holds" if item.code is None else f"the path does not hold [{item.code}]"
    print_table(Text(_printable(f"{path}: {verdict}")))
    for step in item.steps:
        mark = "ok" if step.code is None else step.code
        print_table(Text(_printable(f"  {step.check}: {step.sentence} [{mark}]")))


def _printable(text: str) -> str:
    """Names come from outside: nothing in them may steer a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _unreadable(path: Path, reason: str) -> PkiDataError:
    return PkiDataError(f"{str(path)!r} cannot be read: {reason}", code="certificate.unreadable")
