"""The command `membercard-verifier replay`, and what it plays: transcripts and evidence, as `inspect` writes them."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from card_layout.profile import load_profile
from verifier.bootstrap import Verifier, judge_stored
from verifier.cli_office import office_pin
from verifier.errors import UsageError, VerifierError
from verifier.inspection.messages import Language
from verifier.inspection.report import Verdict
from verifier.inspection.snapshot import CardSnapshot
from verifier.output import FormatOption, OutputFormat, print_explained, print_json, print_one
from verifier.presentation import printable, standard_error, standard_output
from verifier.reading.transcript_file import MAX_TRANSCRIPT_CHARACTERS, Transcript
from verifier.result_files import write_private
from verifier.services.card_password import CardPassword
from verifier.services.inspect_card import Inspection
from verifier.trust.current import CurrentTrust
from verifier.trust.installed import installed
from verifier.trust.refused_cards import InspectionOffice, RefusedCard, is_sealed
from verifier.trust.signed_evidence import terminal_that_signed
from verifier.typed_input import parse_time

__all__ = ["REPLAY_EXAMPLES", "replay", "write_evidence", "write_transcript"]

REPLAY_EXAMPLES: Final = """\b
Examples:
  membercard-verifier replay bug.jsonl
  membercard-verifier replay evidence.json --trust trust --explain
  membercard-verifier replay card.refused --trust trust --office-key office.key --office-certificate office.cer \\
    --office-pin-file office.pin

\b
A transcript (`inspect --transcript`) holds no password, no key and nobody's data: replaying it reads again, without
the card, and says where this program would do something else. Evidence (`inspect --evidence`) holds everything that
was read: replaying it judges the card again. What a terminal sealed of a refused card is judged as it was then, for
the same purpose; where the report is another one, the differences are told, and the exit status is 2."""

_EXITS: Final = {Verdict.ACCEPTED: 0, Verdict.REFUSED: 1, Verdict.UNREADABLE: 2}


def replay(
    file: Annotated[Path, typer.Argument(help="A transcript, or evidence.")],
    *,
    trust: Annotated[
        Path | None,
        typer.Option(
            help="For evidence: directory with csca/*.cer, crl/*.crl and policy.toml.",
            envvar="MEMBERCARD_VERIFIER_TRUST",
        ),
    ] = None,
    purpose: Annotated[
        str | None, typer.Option(help="For evidence: one of the policy's purposes.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(help="For evidence: judge as of this time, not of when the card was read."),
    ] = None,
    office_key: Annotated[
        Path | None, typer.Option(help="For a refused card: the key of the inspection office.")
    ] = None,
    office_certificate: Annotated[
        Path | None, typer.Option(help="For a refused card: the office's certificate.")
    ] = None,
    office_pin_file: Annotated[
        Path | None, typer.Option(help="For a refused card: file with the key's PIN.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="For a transcript: the card profile, where it is a file.")
    ] = None,
    explain_steps: Annotated[
        bool, typer.Option("--explain", help="For evidence: print every step of the procedure.")
    ] = False,
    language: Annotated[
        Language | None, typer.Option(help="The language of --explain; by default that of LANG.")
    ] = None,
    show_unverified: Annotated[
        bool,
        typer.Option("--show-unverified", help="Show the data of cards that were not accepted."),
    ] = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> int:
    """Read or judge again what was recorded, without the card."""
    data = _read(file)
    if is_sealed(data):
        card = _opened(data, office_key, office_certificate, office_pin_file)
        return _replay_refused(card, trust, output_format)
    text = _text(data, file)
    if _is_transcript(text):
        transcript = Transcript.from_text(text)
        snapshot = transcript.replay(load_profile(profile or transcript.settings.profile))
        _print_replayed(transcript, snapshot, output_format)
        return 0
    if trust is None:
        raise UsageError("evidence is judged against --trust, got none")
    inspection, rules = judge_stored(
        CardSnapshot.from_json(text),
        trust_directory=trust,
        purpose=purpose,
        at=None if at is None else parse_time(at),
    )
    if explain_steps:
        print_explained(
            inspection,
            rules,
            language=language or Language.of_locale(os.environ.get("LANG")),
            show_unverified=show_unverified,
            output_format=output_format,
        )
    else:
        print_one(inspection, output_format, show_unverified=show_unverified)
    return _EXITS[inspection.report.verdict]


def write_transcript(verifier: Verifier, password: CardPassword, path: Path) -> Inspection:
    """Inspect the card in the reader, and keep what was said.

    Raises:
        VerifierError: ``output.failed``.
    """
    inspection, transcript = verifier.inspect_recorded(verifier.reader, password)
    write_private(path, transcript.to_text().encode())
    return inspection


def write_evidence(inspection: Inspection, path: Path) -> None:
    """Keep all that was read, with a warning.

    Raises:
        VerifierError: ``output.failed``.
    """
    write_private(path, inspection.snapshot.to_json().encode())
    standard_error().print(
        f"warning: {printable(str(path))} holds all that was read, the holder's data included; "
        "send a transcript instead where that is enough"
    )


def _opened(
    data: bytes, key: Path | None, certificate: Path | None, pin_file: Path | None
) -> RefusedCard:
    if key is None or certificate is None or pin_file is None:
        raise UsageError(
            "a refused card is opened with --office-key, --office-certificate and --office-pin-file"
        )
    return InspectionOffice.read(key, certificate, pin=office_pin(pin_file)).open(data)


def _replay_refused(card: RefusedCard, trust: Path | None, output_format: OutputFormat) -> int:
    """Judge it as it was then, and compare."""
    if trust is None:
        raise UsageError("a refused card is judged against --trust, got none")
    terminal = terminal_that_signed(card, CurrentTrust(trust).get().terminal_roots)
    inspection, _ = judge_stored(
        card.snapshot, trust_directory=trust, purpose=card.purpose, at=card.judged_at
    )
    report = json.loads(json.dumps(inspection.report.to_json(show_unverified=True)))
    differences = card.differences_to(report)
    if output_format is OutputFormat.JSON:
        print_json(
            {
                **report,
                "differences": list(differences),
                "bundle_then": card.bundle,
                "signed_by": terminal,
            }
        )
    else:
        print_one(inspection, output_format, show_unverified=True)
    standard_error().print(
        "no terminal has signed it" if terminal is None else f"signed by terminal {terminal}"
    )
    if not differences:
        standard_error().print("the same report as then")
        return _EXITS[inspection.report.verdict]
    for difference in differences:
        standard_error().print(printable(difference))
    found = installed(trust)
    raise VerifierError(
        "the report is another one than then",
        code="refused-card.other-report",
        hint=None
        if found is not None and found.sha256 == card.bundle
        else f"it was judged by bundle {card.bundle or 'none'}: give --trust with that one",
    )


def _read(path: Path) -> bytes:
    """A file of bounded size."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_TRANSCRIPT_CHARACTERS + 1)
    except OSError as error:
        raise VerifierError(
            f"{str(path)!r} cannot be read ({error.strerror})", code="input.malformed"
        ) from error


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise VerifierError(f"{str(path)!r} is not text", code="input.malformed") from error


def _is_transcript(text: str) -> bool:
    """Whether the first line is a whole object, which evidence is only as a whole."""
    try:
        first = json.loads(text.partition("\n")[0])
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and "kind" in first


def _print_replayed(
    transcript: Transcript, snapshot: CardSnapshot, output_format: OutputFormat
) -> None:
    seconds = {phase.value: round(value, 4) for phase, value in snapshot.phase_seconds.items()}
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "replayed": "transcript",
                "reading": transcript.outcome,
                "judgement": transcript.judgement,
                "timings": seconds,
            }
        )
        return
    table = Table.grid(padding=(0, 2))
    reading = transcript.outcome
    rows: list[tuple[str, Any]] = [
        ("way in", f"{reading['access']['path']}: {reading['access']['outcome']}"),
        ("chip", reading["chip"]),
        *(
            (
                item["name"],
                " ".join(str(value) for key, value in item.items() if key != "name" and value),
            )
            for item in reading["files"]
        ),
        ("broke off", "no" if reading["problem"] is None else reading["problem"]["code"]),
        ("took", ", ".join(f"{name} {value:.3f} s" for name, value in seconds.items())),
    ]
    for name, value in rows:
        table.add_row(Text(name, "dim"), Text(printable(str(value))))
    console = standard_output()
    console.print(f"The reading went as recorded: {snapshot.apdu_count} commands.")
    console.print(table)
    judgement = transcript.judgement
    if judgement is not None:
        codes = ", ".join(judgement["codes"]) or "none"
        console.print(
            f"Judged then, not again: {printable(judgement['verdict'])}; codes: {printable(codes)}."
        )
