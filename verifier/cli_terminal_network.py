"""Commands of a terminal that has a network: ``membercard-verifier terminal renew|report|sync``."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from verifier.cli_terminal import (
    HomeOption,
    TerminalOption,
    TerminalPinFileOption,
    home_of,
    terminal_app,
)
from verifier.errors import UsageError, VerifierError
from verifier.output import FormatOption, OutputFormat, print_json
from verifier.presentation import printable
from verifier.trust.credentials import CredentialsSource

__all__ = ["terminal_app"]

_DAYS_BEFORE = 10

_PkiOption = Annotated[str, typer.Option(help="The authority's service, as https://pki.example.")]
_CentreOption = Annotated[str, typer.Option(help="The central service, as https://centre.example.")]
_DaysOption = Annotated[
    int, typer.Option(min=0, max=365, help="Renew where the certificate ends within so many days.")
]
_TrustOption = Annotated[
    Path,
    typer.Option(help="The terminal's trust directory.", envvar="MEMBERCARD_VERIFIER_TRUST"),
]


@terminal_app.command(
    epilog="""\b
Examples:
  membercard-verifier terminal renew --pki https://pki.example --terminal gate --terminal-pin-file gate.pin
  membercard-verifier terminal renew --pki https://pki.example --terminal gate --terminal-pin-file gate.pin --days 31"""
)
def renew(
    *,
    pki: _PkiOption,
    terminal: TerminalOption,
    terminal_pin_file: TerminalPinFileOption,
    days: _DaysOption = _DAYS_BEFORE,
    output_format: FormatOption = OutputFormat.TEXT,
) -> int:
    """Renew the terminal's certificate where it ends soon; its present key vouches for the next one."""
    from verifier.network.bounded_http import HttpClient, ServerAddress  # noqa: PLC0415 - loads TLS
    from verifier.network.terminal_renewal import renew_terminal  # noqa: PLC0415 - the same

    renewed = renew_terminal(
        HttpClient(ServerAddress.from_text(pki, needs_tls=True)),
        CredentialsSource(directory=terminal, pin_file=terminal_pin_file),
        days_before=days,
        now=_now,
    )
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "reference": renewed.reference,
                "authority": renewed.authority,
                "expires": renewed.expires.isoformat(),
                "renewed": renewed.is_new,
            }
        )
        return 0
    what = "renewed" if renewed.is_new else "not due"
    sys.stdout.write(
        f"{what}: {printable(renewed.reference)}, by {printable(renewed.authority)}, until {renewed.expires}\n"
    )
    return 0


@terminal_app.command(
    epilog="""\b
Examples:
  membercard-verifier terminal report --centre https://centre.example --trust trust --terminal gate \\
    --terminal-pin-file gate.pin"""
)
def report(
    *,
    centre: _CentreOption,
    trust: _TrustOption,
    terminal: TerminalOption,
    terminal_pin_file: TerminalPinFileOption,
    home: HomeOption = None,
) -> int:
    """Tell the centre how this terminal is: its version, its bundle, how far its journal goes."""
    from verifier.bootstrap_terminal import open_journal  # noqa: PLC0415 - loads the database
    from verifier.network.bounded_http import HttpClient, ServerAddress  # noqa: PLC0415 - loads TLS
    from verifier.network.centre_client import centre_client, report_health  # noqa: PLC0415
    from verifier.trust.installed import installed  # noqa: PLC0415 - with them

    client = HttpClient(ServerAddress.from_text(centre, needs_tls=True))
    source = CredentialsSource(directory=terminal, pin_file=terminal_pin_file)
    bundle = installed(trust)
    with open_journal(home_of(home)) as journal:
        newest = journal.newest(1)
        sequence = newest[0].sequence if newest else journal.begin.sequence
    with centre_client(client, source, now=_now) as asking:
        answer = report_health(
            asking,
            version=metadata.version("membercard"),
            bundle_number=None if bundle is None else bundle.number,
            journal_sequence=sequence,
        )
    newest_bundle = "none" if answer is None else str(answer)
    sys.stdout.write(f"reported; the centre's newest bundle is {newest_bundle}\n")
    return 0


@terminal_app.command(
    epilog="""\b
Examples:
  membercard-verifier terminal sync --centre https://centre.example --pki https://pki.example --trust trust \\
    --terminal gate --terminal-pin-file gate.pin"""
)
def sync(
    *,
    centre: _CentreOption,
    pki: Annotated[
        str | None, typer.Option(help="The authority's service; absent: nothing is renewed.")
    ] = None,
    trust: _TrustOption,
    terminal: TerminalOption,
    terminal_pin_file: TerminalPinFileOption,
    home: HomeOption = None,
) -> int:
    """Do all that a network is for: fetch the bundle, renew the certificate, upload the journal, report.

    What fails keeps nothing else from being done; the exit status is that of the first failure.
    """
    from verifier.cli_bundle_network import bundle_fetch  # noqa: PLC0415 - as above
    from verifier.cli_journal import upload  # noqa: PLC0415 - as above

    steps: list[tuple[str, Callable[[], object]]] = [
        ("bundle", lambda: bundle_fetch(f"{centre.rstrip('/')}/v1/bundles", trust=trust)),
    ]
    if pki is not None:
        steps.append(
            (
                "certificate",
                lambda: renew(pki=pki, terminal=terminal, terminal_pin_file=terminal_pin_file),
            )
        )
    steps += [
        (
            "journal",
            lambda: upload(
                centre=centre, terminal=terminal, terminal_pin_file=terminal_pin_file, home=home
            ),
        ),
        (
            "report",
            lambda: report(
                centre=centre,
                trust=trust,
                terminal=terminal,
                terminal_pin_file=terminal_pin_file,
                home=home,
            ),
        ),
    ]
    status = 0
    for name, step in steps:
        try:
            step()
        except UsageError:
            raise
        except VerifierError as error:
            sys.stderr.write(f"error: {name}: {printable(str(error))} [{error.code}]\n")
            status = status or error.exit_code
    return status


def _now() -> datetime:
    return datetime.now(UTC)
