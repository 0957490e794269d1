"""`membercard-verifier journal`: what a terminal has inspected, without names."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from verifier.cli_terminal import HomeOption, TerminalOption, TerminalPinFileOption, home_of
from verifier.output import FormatOption, OutputFormat, print_json
from verifier.presentation import printable, standard_output
from verifier.result_files import write_private
from verifier.trust.credentials import CredentialsSource

__all__ = ["journal_app"]

_MAX_SHOWN: Final = 100_000

journal_app = typer.Typer(
    help="The inspections of a terminal: verdicts and codes, no names.", rich_markup_mode=None
)

_LIST_EXAMPLES = """\b
Examples:
  membercard-verifier journal list
  membercard-verifier journal list --last 500 --format json"""

_VERIFY_EXAMPLES = """\b
Examples:
  membercard-verifier journal verify"""

_EXPORT_EXAMPLES = """\b
Examples:
  membercard-verifier journal export --out inspections.jsonl
  membercard-verifier journal export --behind 1200 --out - | gzip > new.jsonl.gz"""

_UPLOAD_EXAMPLES = """\b
Examples:
  membercard-verifier journal upload --centre https://centre.example --terminal gate --terminal-pin-file gate.pin"""

_CHECK_EXAMPLES = """\b
Examples:
  membercard-verifier journal check-migrations"""


@journal_app.command("list", epilog=_LIST_EXAMPLES)
def list_records(
    *,
    last: Annotated[int, typer.Option(min=1, max=_MAX_SHOWN, help="How many of the newest.")] = 20,
    home: HomeOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> int:
    """Show the newest records, the newest first."""
    from verifier.bootstrap_terminal import open_journal  # noqa: PLC0415 - loads the database

    with open_journal(home_of(home)) as journal:
        lines = journal.newest(last)
    if output_format is OutputFormat.JSON:
        print_json([line.to_json() for line in lines])
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("no.", "time", "verdict", "purpose", "card", "codes"):
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(str(line.sequence), *_cells(line.fields))
    standard_output().print(table)
    return 0


@journal_app.command(epilog=_VERIFY_EXAMPLES)
def verify(*, home: HomeOption = None, output_format: FormatOption = OutputFormat.TEXT) -> int:
    """Follow the chain of all records, and print its end, to be compared with one noted elsewhere."""
    from verifier.bootstrap_terminal import open_journal  # noqa: PLC0415 - loads the database

    with open_journal(home_of(home)) as journal:
        head = journal.verify()
    if output_format is OutputFormat.JSON:
        print_json({"sequence": head.sequence, "digest": head.digest.hex()})
    else:
        sys.stdout.write(f"{head.sequence}:{head.digest.hex()}\n")
    return 0


@journal_app.command(epilog=_EXPORT_EXAMPLES)
def export(
    *,
    out: Annotated[
        Path, typer.Option(help="The file, a JSON object a line; - is standard output.")
    ],
    behind: Annotated[int, typer.Option(min=0, help="Only records behind this number.")] = 0,
    home: HomeOption = None,
) -> int:
    """Write all records, each with its digest, so that others can follow the chain."""
    from verifier.bootstrap_terminal import open_journal  # noqa: PLC0415 - loads the database

    with open_journal(home_of(home)) as journal:
        lines = [
            json.dumps(line.to_json(), sort_keys=True) for line in journal.lines(behind=behind)
        ]
    content = "".join(f"{line}\n" for line in lines)
    if str(out) == "-":
        sys.stdout.write(content)
    else:
        write_private(out, content.encode())
    return 0


@journal_app.command(epilog=_UPLOAD_EXAMPLES)
def upload(
    *,
    centre: Annotated[str, typer.Option(help="The central service, as https://centre.example.")],
    terminal: TerminalOption,
    terminal_pin_file: TerminalPinFileOption,
    home: HomeOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> int:
    """Send the records that the centre does not have; what it took before is not taken twice."""
    from verifier.bootstrap_terminal import open_journal  # noqa: PLC0415 - loads the database
    from verifier.network.bounded_http import HttpClient, ServerAddress  # noqa: PLC0415 - loads TLS
    from verifier.network.centre_client import centre_client, upload_journal  # noqa: PLC0415

    client = HttpClient(ServerAddress.from_text(centre, needs_tls=True))
    source = CredentialsSource(directory=terminal, pin_file=terminal_pin_file)
    with (
        open_journal(home_of(home)) as journal,
        centre_client(client, source, now=lambda: datetime.now(UTC)) as asking,
    ):
        uploaded = upload_journal(asking, journal)
    if output_format is OutputFormat.JSON:
        print_json({"sequence": uploaded.sequence, "taken": uploaded.taken})
    else:
        sys.stdout.write(
            f"{uploaded.taken} new records; the centre has all up to {uploaded.sequence}\n"
        )
    return 0


@journal_app.command("check-migrations", epilog=_CHECK_EXAMPLES, hidden=True)
def check() -> int:
    """Compare the migrations of the journal's database with its tables in code."""
    from verifier.bootstrap_terminal import check_database  # noqa: PLC0415 - loads the database

    check_database()
    sys.stdout.write("the migrations make the tables in code\n")
    return 0


def _cells(fields: Mapping[str, Any]) -> tuple[str, ...]:
    at = str(fields.get("at", ""))[:19].replace("T", " ")
    if fields.get("kind") == "holder":
        words = f"holder of no. {fields.get('inspection')}: {fields.get('holder')}"
        return (at, words, "", "", "")
    codes = ", ".join((*fields.get("codes", ()), *fields.get("notes", ())))
    card = str(fields.get("card") or "")
    cells = (at, fields.get("verdict"), fields.get("purpose"), card[:12], codes)
    return tuple(printable(str(cell)) for cell in cells)
