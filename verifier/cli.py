"""The command `membercard-verifier`: thin; what it does stands in the services."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from card_layout.errors import CardError
from card_layout.transport.readers import list_readers
from verifier.bootstrap import DEFAULT_PROFILE, Verifier, card_change, open_verifier
from verifier.cli_bundle_network import bundle_app
from verifier.cli_centre import SERVE_EXAMPLES, centre_app, serve
from verifier.cli_clock import clock_app
from verifier.cli_journal import journal_app
from verifier.cli_office import office_app
from verifier.cli_replay import REPLAY_EXAMPLES, replay, write_evidence, write_transcript
from verifier.cli_terminal_network import terminal_app
from verifier.cli_trust import trust_app
from verifier.cli_watch import WATCH_EXAMPLES, watch
from verifier.errors import UsageError, VerifierError
from verifier.inspection.codes import CODES, to_markdown
from verifier.inspection.messages import Language
from verifier.inspection.report import Verdict
from verifier.output import FormatOption, OutputFormat, print_explained, print_json, print_one
from verifier.presentation import (
    batch_table,
    explanation,
    printable,
    standard_error,
    standard_output,
)
from verifier.result_files import ResultFiles, document
from verifier.services.card_password import CardPassword
from verifier.services.inspect_batch import BatchEntry, inspect_batch
from verifier.services.inspect_card import Inspection
from verifier.typed_input import credentials_of, parse_time, read_passwords

__all__ = ["app", "main"]

EXIT_DONE: Final = 0
EXIT_REFUSED: Final = 1
EXIT_FAILED: Final = 2
EXIT_USAGE: Final = 64

_INTERRUPTED: Final = 130
"""What typer makes of an interrupt from the keyboard."""

_EXIT_OF_VERDICT: Final = {
    Verdict.ACCEPTED: EXIT_DONE,
    Verdict.REFUSED: EXIT_REFUSED,
    Verdict.UNREADABLE: EXIT_FAILED,
}
_SINGLE_CARD: Final = "card"

app = typer.Typer(
    name="membercard-verifier",
    help="Reads a membership card and says whether it is genuine.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
reader_app = typer.Typer(help="The card readers of this computer.", rich_markup_mode=None)
app.add_typer(reader_app, name="reader")
app.add_typer(trust_app, name="trust")
app.add_typer(bundle_app, name="bundle")
app.add_typer(clock_app, name="clock")
app.add_typer(terminal_app, name="terminal")
app.add_typer(journal_app, name="journal")
app.add_typer(centre_app, name="centre")
app.add_typer(office_app, name="office")


_INSPECT_EXAMPLES = """\b
Examples:
  membercard-verifier inspect --reader "ACS ACR1252" --can 123456 --trust trust
  membercard-verifier inspect --reader sim:card.json --can - --trust trust --format json
  membercard-verifier inspect --reader "ACS ACR1252" --mrz - --trust trust < zone.txt
  membercard-verifier inspect --reader "ACS ACR1252" --batch cans.csv --trust trust --portraits out
  membercard-verifier inspect --reader "ACS ACR1252" --can 123456 --trust trust --inclusion-proof card.tlog-proof
  membercard-verifier inspect --reader "ACS ACR1252" --can 123456 --trust trust --terminal terminal \\
    --terminal-pin-file gate.pin
  membercard-verifier inspect --reader sim:card.json --can - --trust trust --explain --language vi
  membercard-verifier inspect --reader sim:card.json --can - --trust trust --transcript bug.jsonl

\b
Exit status: 0 accepted, 1 refused, 2 unreadable, 64 usage. In a batch: 2 where any card was
unreadable, else 1 where any was refused."""

_EXPLAIN_EXAMPLES = """\b
Examples:
  membercard-verifier explain chip.not-proven
  membercard-verifier explain --all"""

_READER_EXAMPLES = """\b
Examples:
  membercard-verifier reader list
  membercard-verifier reader list --format json"""


@app.command(epilog=_INSPECT_EXAMPLES)
def inspect(
    *,
    reader: Annotated[
        str,
        typer.Option(
            help="Name of the reader, a part of it that no other has, or scheme:rest.",
            envvar="MEMBERCARD_VERIFIER_READER",
        ),
    ],
    trust: Annotated[
        Path,
        typer.Option(
            help="Directory with csca/*.cer, crl/*.crl and policy.toml.",
            envvar="MEMBERCARD_VERIFIER_TRUST",
        ),
    ],
    can: Annotated[
        str | None,
        typer.Option(help="The six digits printed on the card; - reads them from standard input."),
    ] = None,
    mrz: Annotated[
        str | None,
        typer.Option(
            help="Only -: the machine-readable zone, or NUMBER/YYMMDD/YYMMDD, from standard input."
        ),
    ] = None,
    batch: Annotated[
        Path | None,
        typer.Option(
            help="CSV with the columns label and can: one card after another; - is stdin."
        ),
    ] = None,
    purpose: Annotated[
        str | None, typer.Option(help="One of the policy's purposes, instead of its default one.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(help="Judge as of this time (RFC 3339, as 2027-01-31T08:00:00Z), not now."),
    ] = None,
    profile: Annotated[str, typer.Option(help="The card profile to read by.")] = DEFAULT_PROFILE,
    portraits: Annotated[
        Path | None, typer.Option(help="Save the portraits of accepted cards here, as PNG.")
    ] = None,
    reports: Annotated[
        Path | None, typer.Option(help="Save each report here, as LABEL.json.")
    ] = None,
    inclusion_proof: Annotated[
        Path | None,
        typer.Option(
            help="Proof that the card's signature was in the log before its signer was compromised; "
            "else the one in proofs/ of the trust directory."
        ),
    ] = None,
    terminal: Annotated[
        Path | None,
        typer.Option(
            help="Directory with the terminal's certificates and key, for files that need a right.",
            envvar="MEMBERCARD_VERIFIER_TERMINAL",
        ),
    ] = None,
    terminal_pin_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the PIN of the terminal's key.",
            envvar="MEMBERCARD_VERIFIER_TERMINAL_PIN_FILE",
        ),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(min=0, max=3600, help="In a batch: seconds to wait for each change of cards."),
    ] = 30.0,
    show_unverified: Annotated[
        bool,
        typer.Option("--show-unverified", help="Show the data of cards that were not accepted."),
    ] = False,
    explain_steps: Annotated[
        bool,
        typer.Option(
            "--explain", help="Print every step of the procedure: what it found, and why."
        ),
    ] = False,
    language: Annotated[
        Language | None,
        typer.Option(help="The language of --explain; by default that of LANG."),
    ] = None,
    transcript: Annotated[
        Path | None,
        typer.Option(help="Write what was said to the card here, without secrets: see replay."),
    ] = None,
    evidence: Annotated[
        Path | None,
        typer.Option(help="Write all that was read here, the holder's data included: see replay."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> int:
    """Read the card in a reader and say whether it is genuine."""
    passwords = read_passwords(can=can, mrz=mrz, batch=batch)
    if not isinstance(passwords, CardPassword) and (explain_steps or transcript or evidence):
        raise UsageError("--explain, --transcript and --evidence are for one card, got --batch")
    keep = ResultFiles(
        portraits=portraits,
        reports=reports,
        show_unverified=show_unverified,
        complain=lambda error: _print_error(str(error), error.code, error.hint),
    )
    with open_verifier(
        reader_name=reader,
        trust_directory=trust,
        profile_name=profile,
        purpose=purpose,
        at=None if at is None else parse_time(at),
        credentials=credentials_of(terminal, terminal_pin_file),
        inclusion_proof=inclusion_proof,
    ) as verifier:
        if isinstance(passwords, CardPassword):
            entry = BatchEntry(label=_SINGLE_CARD, password=passwords)
            inspection = (
                verifier.inspect(verifier.reader, passwords)
                if transcript is None
                else write_transcript(verifier, passwords, transcript)
            )
            if evidence is not None:
                write_evidence(inspection, evidence)
            keep(entry, inspection)
            if explain_steps:
                print_explained(
                    inspection,
                    verifier.rules,
                    language=language or Language.of_locale(os.environ.get("LANG")),
                    show_unverified=show_unverified,
                    output_format=output_format,
                )
            else:
                print_one(inspection, output_format, show_unverified=show_unverified)
            return _EXIT_OF_VERDICT[inspection.report.verdict]
        results = _inspect_all(verifier, passwords, wait=wait, keep=keep)
    _print_all(results, output_format, show_unverified=show_unverified)
    return max(_EXIT_OF_VERDICT[inspection.report.verdict] for _, inspection in results)


@app.command(epilog=_EXPLAIN_EXAMPLES)
def explain(
    *,
    code: Annotated[
        str | None, typer.Argument(help="A code, as an error or a report gives it.")
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Every code, as the page docs/codes.md.")
    ] = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> int:
    """Say what a code means and what to do."""
    if show_all == (code is not None):
        raise UsageError("give either one code or --all")
    if code is not None and code not in CODES:
        raise UsageError(
            f"got code {printable(code)[:64]!r}, which is none",
            hint="`membercard-verifier explain --all` lists them",
        )
    entries = [CODES[code]] if code is not None else list(CODES.values())
    if output_format is OutputFormat.JSON:
        documents = [
            {
                "code": entry.code,
                "severity": entry.severity.value,
                "clause": entry.clause,
                "cause": entry.cause,
                "remedy": entry.remedy,
            }
            for entry in entries
        ]
        print_json(documents if code is None else documents[0])
    elif code is None:
        sys.stdout.write(to_markdown())
    else:
        standard_output().print(explanation(entries[0]))
    return EXIT_DONE


app.command(epilog=WATCH_EXAMPLES)(watch)
app.command(epilog=REPLAY_EXAMPLES)(replay)
app.command(epilog=SERVE_EXAMPLES)(serve)


@reader_app.command("list", epilog=_READER_EXAMPLES)
def reader_list(*, output_format: FormatOption = OutputFormat.TEXT) -> int:
    """List the PC/SC readers; none where there is no PC/SC."""
    names = list_readers()
    if output_format is OutputFormat.JSON:
        print_json(list(names))
    else:
        for name in names:
            sys.stdout.write(f"{printable(name)}\n")
        if not names:
            standard_error().print("no reader")
    return EXIT_DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 0 done or accepted, 1 refused, 2 could not, 64 usage."""
    try:
        status = app(
            args=None if arguments is None else list(arguments),
            prog_name="membercard-verifier",
            standalone_mode=False,
        )
    except typer.TyperException as error:
        _print_error(
            error.format_message().rstrip("."),
            UsageError.default_code,
            "`membercard-verifier --help` shows what it takes",
        )
        return EXIT_USAGE
    except VerifierError as error:
        _print_error(str(error), error.code, error.hint)
        return error.exit_code
    except CardError as error:
        _print_error(str(error), error.code, getattr(error, "hint", None))
        return EXIT_FAILED
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more can be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - Python would end with 1, which means refused
        traceback.print_exc()
        _print_error(f"a fault of this program ({type(error).__name__})", "internal", None)
        return EXIT_FAILED
    if status == _INTERRUPTED:
        _print_error("interrupted", "verifier.error", None)
        return EXIT_FAILED
    return status if isinstance(status, int) else EXIT_DONE


def _inspect_all(
    verifier: Verifier,
    entries: Sequence[BatchEntry],
    *,
    wait: float,
    keep: Callable[[BatchEntry, Inspection], None],
) -> list[tuple[BatchEntry, Inspection]]:
    """All cards of a batch, with a line of progress for whoever watches."""
    results: list[tuple[BatchEntry, Inspection]] = []
    console = standard_error()
    with console.status(f"0 of {len(entries)} cards") as status:
        for entry, inspection in inspect_batch(
            verifier.reader, entries, inspect=verifier.inspect, change=card_change(wait)
        ):
            keep(entry, inspection)
            results.append((entry, inspection))
            verdict = inspection.report.verdict.value
            status.update(f"{entry.label}: {verdict}; {len(results)} of {len(entries)} cards")
    return results


def _print_all(
    results: Sequence[tuple[BatchEntry, Inspection]],
    output_format: OutputFormat,
    *,
    show_unverified: bool,
) -> None:
    if output_format is OutputFormat.JSON:
        print_json(
            [
                {"label": entry.label, **document(inspection, show_unverified=show_unverified)}
                for entry, inspection in results
            ]
        )
        return
    console = standard_output()
    console.print(
        batch_table(results, show_unverified=show_unverified, is_terminal=console.is_terminal)
    )


def _print_error(message: str, code: str, hint: str | None) -> None:
    sys.stderr.write(f"error: {printable(message)} [{code}]\n")
    if hint is not None:
        sys.stderr.write(f"hint: {printable(hint)}\n")
