"""`membercard-verifier serve` and `membercard-verifier centre`: the central service, and what is done at it."""

import ipaddress
import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from verifier.centre.reports import CountedBy, to_csv
from verifier.errors import UsageError, VerifierError
from verifier.output import FormatOption, OutputFormat, print_json
from verifier.presentation import printable, standard_output
from verifier.typed_input import parse_time

__all__ = [
    "SERVE_EXAMPLES",
    "DatabaseFileOption",
    "DatabaseOption",
    "centre_app",
    "database_url",
    "serve",
]

centre_app = typer.Typer(
    help="The central service: its terminals, and what they reported.", rich_markup_mode=None
)


class _ReportFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    CSV = "csv"


_MAX_URL_CHARACTERS: Final = 2048
_HOLDER: Final = re.compile(r"[A-Z]{2}[0-9A-Z]{1,9}")
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,200}")
_MAX_PORT: Final = 65535
_MAX_LISTED: Final = 100_000

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database", help="The database: sqlite:///FILE, or postgresql://... without a password."
    ),
]
DatabaseFileOption = Annotated[
    Path | None,
    typer.Option(
        "--database-file",
        help="File with the database's URL, where it holds a password.",
        envvar="MEMBERCARD_CENTRE_DATABASE_FILE",
    ),
]
HolderArgument = Annotated[
    str, typer.Argument(help="Country and mnemonic of its CV certificate, like VNGATE1.")
]

SERVE_EXAMPLES: Final = """\b
Examples:
  membercard-verifier serve --database sqlite:///centre.sqlite --trust trust --files public --keys keys --address https://centre.example
  membercard-verifier serve --database-file centre.url --trust trust --files public --keys keys --address https://centre.example \\
    --listen /run/membercard-centre/http.sock"""


def serve(
    *,
    trust: Annotated[
        Path, typer.Option(help="The trust directory that cards and terminals are judged by.")
    ],
    files: Annotated[
        Path, typer.Option(help="Directory that `bundle publish` fills: bundles, deltas, index.")
    ],
    keys: Annotated[
        Path,
        typer.Option(
            help="Directory of the periods' keys, which no backup may hold; made where it is missing."
        ),
    ],
    address: Annotated[
        str, typer.Option(help="What terminals call this service by, as https://centre.example.")
    ],
    listen: Annotated[
        str, typer.Option(help="A loopback address and port, or the path of a Unix socket.")
    ] = "127.0.0.1:24832",
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
) -> int:
    """Serve terminals, behind a proxy that ends TLS, until interrupted; any number of processes may share a database."""
    # The web framework and the database are loaded by this command alone.
    from verifier.bootstrap_centre import CentrePlaces, serve_at  # noqa: PLC0415 - as said

    if _ADDRESS.fullmatch(address) is None:
        raise UsageError(
            f"got --address {printable(address)[:80]!r}, expected one as https://centre.example"
        )

    def ready(name: str) -> None:
        sys.stdout.write(f"ready: {name}\n")
        sys.stdout.flush()

    serve_at(
        CentrePlaces(
            database_url=database_url(database, database_file),
            trust=trust,
            files=files,
            keys=keys,
            address=address,
        ),
        listen=_listen(listen),
        on_ready=ready,
    )
    return 0


@centre_app.command(
    epilog="""\b
Examples:
  membercard-verifier centre upgrade --database sqlite:///centre.sqlite"""
)
def upgrade(*, database: DatabaseOption = None, database_file: DatabaseFileOption = None) -> int:
    """Make the database's tables, or bring them to this version's."""
    from verifier.bootstrap_centre import upgrade_centre  # noqa: PLC0415 - loads the database

    upgrade_centre(database_url(database, database_file))
    sys.stdout.write("the database is at this version\n")
    return 0


@centre_app.command(
    epilog="""\b
Examples:
  membercard-verifier centre enrol VNGATE1 --organisation 01.02 --database sqlite:///centre.sqlite"""
)
def enrol(
    *,
    holder: HolderArgument,
    organisation: Annotated[
        str, typer.Option(help="The code of the organisation that it stands at.")
    ],
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
) -> int:
    """Take a terminal in: from now on its signed requests are answered."""
    from verifier.bootstrap_centre import open_centre  # noqa: PLC0415 - loads the database

    if _HOLDER.fullmatch(holder) is None:
        raise UsageError(f"got holder {printable(holder)[:20]!r}, expected one like VNGATE1")
    if not (1 <= len(organisation) <= 64 and organisation.isascii() and organisation.isprintable()):
        raise UsageError("--organisation is 1 to 64 printable ASCII characters")
    with open_centre(database_url(database, database_file)) as centre:
        centre.register.enrol(holder, organisation=organisation, now=datetime.now(UTC))
    sys.stdout.write(f"enrolled {holder}\n")
    return 0


@centre_app.command(
    epilog="""\b
Examples:
  membercard-verifier centre block VNGATE1 --reason stolen --database sqlite:///centre.sqlite"""
)
def block(
    *,
    holder: HolderArgument,
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
) -> int:
    """Answer a terminal no more; `membercard-pki terminal block` ends its certificates."""
    from verifier.bootstrap_centre import open_centre  # noqa: PLC0415 - loads the database

    if not (1 <= len(reason) <= 200 and reason.isprintable()):
        raise UsageError("--reason is 1 to 200 printable characters")
    with open_centre(database_url(database, database_file)) as centre:
        centre.register.block(holder, reason=reason, now=datetime.now(UTC))
    sys.stdout.write(f"blocked {printable(holder)}\n")
    return 0


@centre_app.command(
    epilog="""\b
Examples:
  membercard-verifier centre terminals --database sqlite:///centre.sqlite
  membercard-verifier centre terminals --database sqlite:///centre.sqlite --format json"""
)
def terminals(
    *,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> int:
    """List the terminals, and how each was when it was last heard of."""
    from verifier.bootstrap_centre import open_centre  # noqa: PLC0415 - loads the database

    with open_centre(database_url(database, database_file)) as centre:
        found = centre.register.all(limit=_MAX_LISTED)
    documents = [
        {
            "holder": item.holder,
            "organisation": item.organisation,
            "standing": "blocked" if item.blocked_at is not None else "good",
            "seen_at": None if item.seen_at is None else item.seen_at.isoformat(),
            "clock_offset_seconds": item.clock_offset_seconds,
            "version": None if item.health is None else item.health.version,
            "bundle_number": None if item.health is None else item.health.bundle_number,
            "journal_sequence": None if item.health is None else item.health.journal_sequence,
        }
        for item in found
    ]
    if output_format is OutputFormat.JSON:
        print_json(documents)
        return 0
    columns = ("holder", "organisation", "standing", "seen_at", "bundle_number", "version")
    _print_table(columns, [tuple(document[column] for column in columns) for document in documents])
    return 0


@centre_app.command(
    epilog="""\b
Examples:
  membercard-verifier centre report --by organisation --database sqlite:///centre.sqlite
  membercard-verifier centre report --by code --since 2026-11-01T00:00:00Z --format csv --database sqlite:///centre.sqlite"""
)
def report(
    *,
    by: Annotated[CountedBy, typer.Option(help="What is counted by.")],
    since: Annotated[str | None, typer.Option(help="From this time on (RFC 3339).")] = None,
    until: Annotated[str | None, typer.Option(help="Before this time (RFC 3339).")] = None,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: Annotated[
        _ReportFormat, typer.Option("--format", help="For people, programs or spreadsheets.")
    ] = _ReportFormat.TEXT,
) -> int:
    """Count the inspections that terminals have uploaded."""
    from verifier.bootstrap_centre import open_centre  # noqa: PLC0415 - loads the database

    begin = None if since is None else parse_time(since)
    end = None if until is None else parse_time(until)
    with open_centre(database_url(database, database_file)) as centre:
        lines = centre.reports.counts(by, begin=begin, end=end)
    if output_format is _ReportFormat.JSON:
        print_json([line.to_document() for line in lines])
    elif output_format is _ReportFormat.CSV:
        sys.stdout.write(to_csv(by, lines))
    else:
        _print_table(
            [by.value, "inspections", "accepted", "refused", "unreadable"],
            [tuple(line.to_document().values()) for line in lines],
        )
    return 0


@centre_app.command(
    epilog="""\b
Examples:
  membercard-verifier centre alarms --database sqlite:///centre.sqlite
  membercard-verifier centre alarms --behind 17 --format json --database sqlite:///centre.sqlite"""
)
def alarms(
    *,
    behind: Annotated[int, typer.Option(min=0, help="Only alarms behind this number.")] = 0,
    database: DatabaseOption = None,
    database_file: DatabaseFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> int:
    """List the alarms; `membercard-verifier explain CODE` says what each means and what to do."""
    from verifier.bootstrap_centre import open_centre  # noqa: PLC0415 - loads the database

    with open_centre(database_url(database, database_file)) as centre:
        found = centre.reports.alarms(behind=behind, limit=_MAX_LISTED)
    if output_format is OutputFormat.JSON:
        print_json([line.to_document() for line in found])
        return 0
    _print_table(
        ["no.", "code", "time", "terminal", "organisation", "details"],
        [
            (
                line.number,
                line.code,
                f"{line.at:%Y-%m-%d %H:%M:%S}",
                line.holder,
                line.organisation,
                json.dumps(line.details, ensure_ascii=False),
            )
            for line in found
        ],
    )
    return 0


@centre_app.command(
    epilog="""\b
Examples:
  membercard-verifier centre describe"""
)
def describe() -> int:
    """Print the description of the API (OpenAPI 3.1)."""
    from verifier.bootstrap_centre import centre_description  # noqa: PLC0415 - loads the framework

    sys.stdout.write(centre_description())
    return 0


@centre_app.command(
    "check-migrations",
    epilog="""\b
Examples:
  membercard-verifier centre check-migrations""",
    hidden=True,
)
def check() -> int:
    """Compare the migrations of the centre's database with its tables in code."""
    from verifier.bootstrap_centre import check_centre_database  # noqa: PLC0415 - as above

    check_centre_database()
    sys.stdout.write("the migrations make the tables in code\n")
    return 0


def _print_table(columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(printable(str("-" if cell is None else cell)) for cell in row))
    standard_output().print(table)


def database_url(url: str | None, file: Path | None) -> str:
    """The URL of the database, of which none with a password stands in a command line.

    Raises:
        UsageError: none or both are given, or there is a password.
        VerifierError: the file cannot be read.
    """
    if (url is None) == (file is None):
        raise UsageError("give one of --database and --database-file")
    if url is not None:
        if re.search(r"://[^/@]*:[^/@]*@|password=", url):
            raise UsageError(
                "--database holds a password, which has no place in a command line",
                hint="write the URL into a file and give --database-file",
            )
        return url
    path = file or Path()
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_URL_CHARACTERS).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise VerifierError(
            f"{printable(str(path))!r} cannot be read", code="input.malformed"
        ) from error
    return text


def _listen(text: str) -> tuple[str, int] | Path:
    if "/" in text:
        return Path(text)
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        address, number = ipaddress.ip_address(host), int(port)
    except ValueError as error:
        raise _no_listen(text) from error
    if not address.is_loopback or not 0 <= number <= _MAX_PORT:
        raise _no_listen(text)
    return str(address), number


def _no_listen(text: str) -> UsageError:
    return UsageError(
        f"got --listen {printable(text)[:60]!r}, expected a loopback address and a port, or a path",
        hint="as 127.0.0.1:24832: the proxy that ends TLS stands on the same computer",
    )
