"""The command ``membercard-verifier watch``: card after card at a keyboard, without a browser."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from card_layout.errors import TransportError
from card_layout.transport.connection import CardReader
from verifier.bootstrap import DEFAULT_PROFILE, card_change, open_verifier
from verifier.errors import UsageError
from verifier.output import FormatOption, OutputFormat, print_one
from verifier.presentation import printable
from verifier.result_files import document
from verifier.services.card_password import CardPassword
from verifier.services.inspect_batch import CardChange
from verifier.typed_input import credentials_of

__all__ = ["WATCH_EXAMPLES", "watch"]

WATCH_EXAMPLES: Final = """\b
Examples:
  membercard-verifier watch --reader "ACS ACR1252" --trust trust
  membercard-verifier watch --reader "ACS ACR1252" --trust trust --purpose meeting --count 40
  membercard-verifier watch --reader "ACS ACR1252" --trust trust --format json < cans.txt

\b
Exit status: 0 when it ended as it was told to, 2 could not, 64 usage."""

_LOOK_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 1.0
_MAX_LINE: Final = 256


def watch(
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
        typer.Option(help="The terminal's trust directory.", envvar="MEMBERCARD_VERIFIER_TRUST"),
    ],
    purpose: Annotated[
        str | None, typer.Option(help="One of the policy's purposes, instead of its default one.")
    ] = None,
    profile: Annotated[str, typer.Option(help="The card profile to read by.")] = DEFAULT_PROFILE,
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
    count: Annotated[int | None, typer.Option(min=1, help="End after so many cards.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> int:
    """Inspect card after card: put one in, type its six digits, read the answer, take it out.

    It ends with the input, or with Ctrl-C. A reader that was unplugged is waited for. Nothing is kept: for a
    journal, a picture and sound there is `terminal run`.
    """
    with open_verifier(
        reader_name=reader,
        trust_directory=trust,
        profile_name=profile,
        purpose=purpose,
        credentials=credentials_of(terminal, terminal_pin_file),
    ) as verifier:
        change = card_change(_LOOK_SECONDS)
        done = 0
        while count is None or done < count:
            _say("Put a card in.")
            _wait(change, verifier.reader, is_present=True)
            password = _ask()
            if password is None:
                break
            inspection = verifier.inspect(verifier.reader, password)
            if output_format is OutputFormat.JSON:
                line = json.dumps(document(inspection, show_unverified=False), ensure_ascii=False)
                sys.stdout.write(f"{line}\n")
            else:
                print_one(inspection, output_format, show_unverified=False)
            sys.stdout.flush()
            done += 1
            if count is None or done < count:
                _say("Take the card out.")
                _wait(change, verifier.reader, is_present=False)
    return 0


def _wait(change: CardChange, reader: CardReader, *, is_present: bool) -> None:
    """Until the card is there or gone; a reader that is gone is told of once, and waited for."""
    is_lost = False
    while True:
        try:
            if (change.wait_for_card if is_present else change.wait_for_removal)(reader):
                return
            is_lost = False
        except TransportError as error:
            if not is_present:
                # The card went with its reader.
                return
            if not is_lost:
                sys.stderr.write(f"error: {printable(str(error))} [{error.code}]\n")
            is_lost = True
            time.sleep(_RETRY_SECONDS)


def _ask() -> CardPassword | None:
    """What opens the card, asked for until it can be one; ``None`` where the input ends."""
    while True:
        sys.stderr.write("The six digits on the card: ")
        sys.stderr.flush()
        line = sys.stdin.readline(_MAX_LINE)
        if not line:
            sys.stderr.write("\n")
            return None
        try:
            return CardPassword.from_can(line.strip())
        except UsageError as error:
            sys.stderr.write(f"error: {printable(str(error))} [{error.code}]\n")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
