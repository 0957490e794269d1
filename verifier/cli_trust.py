"""The command ``membercard-verifier trust show``: what this terminal trusts."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from verifier.output import FormatOption, OutputFormat, print_json
from verifier.presentation import printable, standard_output
from verifier.trust.summary import TrustSummary, summarise_trust

__all__ = ["trust_app"]

trust_app = typer.Typer(help="What this terminal trusts.", rich_markup_mode=None)

_SHOWN_DIGITS = 16


@trust_app.callback()
def trust() -> None:
    """What this terminal trusts."""


@trust_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-verifier trust show --trust trust
  membercard-verifier trust show --trust trust --format json""",
)
def trust_show(
    *,
    directory: Annotated[
        Path,
        typer.Option(
            "--trust", help="The terminal's trust directory.", envvar="MEMBERCARD_VERIFIER_TRUST"
        ),
    ],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Say whom this terminal trusts, which lists it has, and until when each of them holds."""
    summary = summarise_trust(directory)
    if output_format is OutputFormat.JSON:
        print_json(_document(summary))
        return
    console = standard_output()
    bundle = summary.bundle
    console.print(
        "No bundle is installed: the files were put there one by one."
        if bundle is None
        else f"Bundle {bundle.number}, as of {bundle.this_update:%Y-%m-%d %H:%M}Z; "
        f"the next one by {bundle.next_update:%Y-%m-%d %H:%M}Z.",
        markup=False,
    )
    now = datetime.now(UTC)
    table = Table("What", "Whose", "Until", "Says", "SHA-256", box=None, pad_edge=False)
    for line in summary.lines:
        until = f"{line.until:%Y-%m-%d %H:%M}Z"
        table.add_row(
            line.kind,
            Text(printable(line.name)),
            Text(until, style="red") if line.until < now else Text(until),
            Text(printable(line.detail)),
            line.fingerprint[:_SHOWN_DIGITS],
        )
    console.print(table if summary.lines else "Nothing is trusted: every card is refused.")
    purposes = ", ".join(
        f"{name} (unless another is asked for)" if name == summary.default_purpose else name
        for name in summary.purposes
    )
    console.print(f"Purposes: {purposes or 'none'}.", markup=False, highlight=False)
    if summary.allows_test_authorities:
        console.print("Test authorities are allowed here: this is no terminal for real cards.")


def _document(summary: TrustSummary) -> dict[str, object]:
    bundle = summary.bundle
    return {
        "bundle": None
        if bundle is None
        else {
            "number": bundle.number,
            "sha256": bundle.sha256,
            "this_update": bundle.this_update.isoformat(),
            "next_update": bundle.next_update.isoformat(),
        },
        "trusted": [
            {
                "kind": line.kind,
                "name": line.name,
                "until": line.until.isoformat(),
                "detail": line.detail,
                "sha256": line.fingerprint,
            }
            for line in summary.lines
        ],
        "purposes": list(summary.purposes),
        "default_purpose": summary.default_purpose,
        "allows_test_authorities": summary.allows_test_authorities,
    }
