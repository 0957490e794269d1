"""Commands about ceremonies that no quorum is needed for: verify a transcript, print a script, give one up."""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text as RichText

from pki.bootstrap_ceremony import abandon_ceremony
from pki.ceremony.acts import fingerprint_groups
from pki.ceremony.script import CeremonyKind, script_of
from pki.ceremony.transcript_check import verify_transcript
from pki.certificates.certificate import MAX_CERTIFICATE_BYTES
from pki.cli_context import command_context
from pki.errors import PkiDataError
from pki.presentation import (
    Document,
    FormatOption,
    OutputFormat,
    print_document,
    print_json,
    print_table,
    print_warning,
)

__all__ = ["mount_reading"]


_ABANDON_EXAMPLES: Final = """\b
Examples:
  membercard-pki --home pki ceremony abandon --reason "two custodians fell ill"
"""


def ceremony_abandon(
    context: typer.Context,
    *,
    reason: Annotated[str, typer.Option(help="Why; it stays in the transcript.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Give a ceremony up that broke off; what it did stays done, and its sheets are void unless they open the root."""
    ceremony = abandon_ceremony(command_context(context).home, reason=reason)
    print_document({"ceremony": ceremony, "state": "abandoned"}, output_format)


_VERIFY_EXAMPLES: Final = """\b
Examples:
  membercard-pki ceremony verify transcript.jsonl
  membercard-pki ceremony verify transcript.jsonl --certificate csca-1.cer --digest "5f0c 11ab ..."
"""


def ceremony_verify(
    transcript: Annotated[Path, typer.Argument(help="The transcript, transcript.jsonl.")],
    *,
    certificate: Annotated[
        Path | None, typer.Option(help="The root's certificate (DER), from elsewhere.")
    ] = None,
    digest: Annotated[
        str | None, typer.Option(help="The digest that was written down; spaces do not matter.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Replay a transcript: its chain, every step of the script in order, people, sheets, root and signature."""
    report = verify_transcript(
        transcript, certificate=None if certificate is None else _read(certificate), digest=digest
    )
    document: Document = {
        "ceremony": report.ceremony,
        "kind": report.kind.value,
        "rehearsal": report.is_rehearsal,
        "steps": report.steps,
        "lines": report.lines,
        "authority": report.authority,
        "fingerprint": fingerprint_groups(report.fingerprint),
        "custodians": ", ".join(report.custodians) or None,
        "threshold": report.threshold or None,
        "signer": report.signer,
        "digest": fingerprint_groups(report.digest),
    }
    print_document(document, output_format)
    if not report.is_anchored and digest is None:
        print_warning(
            "the transcript agrees with itself; --certificate or --digest compares it with what is known elsewhere"
        )


_SCRIPT_EXAMPLES: Final = """\b
Examples:
  membercard-pki ceremony script root
  membercard-pki ceremony script crl --format json
"""


def ceremony_script(
    kind: Annotated[CeremonyKind, typer.Argument(help="Which ceremony.")],
    *,
    sheets: Annotated[
        int, typer.Option(min=3, max=16, help="How many sheets are handed out, if any.")
    ] = 3,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Print a ceremony's steps, to be read before it: who is there, what is shown, typed and checked."""
    steps = script_of(kind, custodians=[""] * sheets)
    documents: list[Document] = [
        {
            "number": number,
            "step": step.identifier,
            "title_vi": step.title.vi,
            "title_en": step.title.en,
            "present": ", ".join(role.value for role in step.present),
            "shown_vi": step.shown.vi,
            "shown_en": step.shown.en,
            "typed_vi": step.typed.vi,
            "typed_en": step.typed.en,
            "checked_vi": step.checked.vi,
            "checked_en": step.checked.en,
        }
        for number, step in enumerate(steps, start=1)
    ]
    if output_format is OutputFormat.JSON:
        print_json(documents)
        return
    for item in documents:
        print_table(RichText(f"{item['number']}. {item['title_vi']} / {item['title_en']}"))
        print_table(RichText(f"   có mặt / present: {item['present']}"))
        for label, part in (
            ("hiện / shown", "shown"),
            ("gõ / typed", "typed"),
            ("kiểm / checked", "checked"),
        ):
            print_table(RichText(f"   {label}: {item[f'{part}_vi']} / {item[f'{part}_en']}"))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_CERTIFICATE_BYTES + 1)
    except OSError as error:
        raise PkiDataError(
            f"certificate {path} cannot be read: {error.strerror}",
            code="ceremony.certificate-unreadable",
        ) from error


def mount_reading(ceremony: typer.Typer) -> None:
    """Add these commands to those of the ceremonies."""
    ceremony.command("verify", epilog=_VERIFY_EXAMPLES)(ceremony_verify)
    ceremony.command("script", epilog=_SCRIPT_EXAMPLES)(ceremony_script)
    ceremony.command("abandon", epilog=_ABANDON_EXAMPLES)(ceremony_abandon)
