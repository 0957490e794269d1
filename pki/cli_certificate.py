"""The command ``membercard-pki certificate verify``: why a path holds, or why not, step by step."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from pki.bounded_files import read_bounded
from pki.certificates.certificate import MAX_CERTIFICATE_BYTES
from pki.certificates.path import PathProfile
from pki.cli_context import AtOption, moment_given
from pki.errors import PkiRefusedError
from pki.presentation import FormatOption, OutputFormat, print_table
from pki.services.path_explaining import PathExplanation, TrustBytes, explain_path
from pki.trust_directory import TrustDirectory

__all__ = ["certificate_app"]

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
    at: AtOption = None,
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
    moment = moment_given(at)
    directory = TrustDirectory(trust)
    trusted = TrustBytes(
        certificates=directory.certificates(),
        crls=directory.crls(),
        stop_lists=directory.stop_lists(),
    )
    found = [
        (
            path,
            explain_path(
                read_bounded(path, MAX_CERTIFICATE_BYTES),
                trusted=trusted,
                profile=profile,
                at=moment,
                intermediates=[
                    read_bounded(item, MAX_CERTIFICATE_BYTES) for item in untrusted or ()
                ],
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
