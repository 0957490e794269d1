"""What a terminal knows of the time: ``membercard-verifier clock show|approve|reset``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from verifier.cli_bundle import (
    ApprovalOption,
    TrustOption,
    print_bundle_document,
    read_approvals,
    read_key_file,
    read_pin,
    write_result,
)
from verifier.output import FormatOption, OutputFormat
from verifier.trust.approvals import Approval
from verifier.trust.clock_reset import ClockState, clock_state, reset_clock

__all__ = ["clock_app"]

clock_app = typer.Typer(
    help="The time that this terminal knows to be past, and the way back from a wrong one.",
    rich_markup_mode=None,
)


@clock_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-verifier clock show --trust trust
  membercard-verifier clock show --trust trust --format json""",
)
def clock_show(*, trust: TrustOption, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """Say what time this computer tells, what is held to be past, and what of that signed files prove."""
    print_bundle_document(_document(clock_state(trust)), output_format)


@clock_app.command(
    "approve",
    epilog="""\b
Examples:
  membercard-verifier clock approve --trust trust --name Lan --key lan.pem --pin-file lan.pin --output lan.json""",
)
def clock_approve(
    *,
    trust: TrustOption,
    name: Annotated[str, typer.Option(help="The approver's name, as in approvers.toml.")],
    key: Annotated[Path, typer.Option(help="The approver's own key.")],
    pin_file: Annotated[Path, typer.Option(help="File with the PIN of that key.")],
    output: Annotated[Path, typer.Option(help="Where to write the approval.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Approve that what only a wrong clock said is taken back; compare what it prints with a watch first."""
    state = clock_state(trust)
    approval = Approval.make(
        name=name, key_file=read_key_file(key), pin=read_pin(pin_file), stated=state.statement
    )
    write_result(output, approval.to_bytes())
    print_bundle_document({**_document(state), "approved_by": name}, output_format)


@clock_app.command(
    "reset",
    epilog="""\b
Examples:
  membercard-verifier clock reset --trust trust --approval lan.json --approval binh.json""",
)
def clock_reset(
    *,
    trust: TrustOption,
    approval: ApprovalOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take the time that is held to be past back to what signed files prove: by the word of two approvers."""
    state, names = reset_clock(trust, read_approvals(approval))
    print_bundle_document({**_document(state), "approved_by": list(names)}, output_format)


def _document(state: ClockState) -> dict[str, object]:
    now = datetime.now(UTC)
    return {
        "computer": _text(now),
        "held_past": "broken" if state.is_broken else _text(state.latest),
        "proven_past": _text(state.evidence),
        "bundle": state.bundle.number,
        "can_be_reset": state.can_be_reset,
    }


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
