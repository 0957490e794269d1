"""How commands of batches show a batch, its lines and where its cards are."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from issuer.cli_context import OutputFormat, print_json, print_table, standard_output
from issuer.domain.batch import Batch, BatchTally
from issuer.domain.card_number import CardNumberScheme
from issuer.services.read_batches import BatchView, NamedLine

__all__ = [
    "BatchArgument",
    "batch_as_json",
    "line_as_json",
    "line_cells",
    "moment",
    "say",
    "show_view",
    "view_as_json",
]

BatchArgument = Annotated[str, typer.Argument(metavar="BATCH", help="The identifier of the batch.")]


def batch_as_json(batch: Batch) -> dict[str, object]:
    """A batch as programs read it."""
    proposal = batch.proposal
    return {
        "batch_id": str(batch.batch_id),
        "receiver": batch.receiver,
        "decision_id": str(batch.decision_id),
        "follow_up_of": None if batch.follow_up_of is None else str(batch.follow_up_of),
        "state": batch.state.value,
        "version": batch.version,
        "created_by": batch.created_by,
        "created_at": batch.created_at.isoformat(),
        "proof": None if proposal is None else proposal.proof.hex(),
        "cards": None if proposal is None else proposal.cards,
        "proposed_by": None if proposal is None else proposal.proposed_by,
        "confirmed_by": None if proposal is None else proposal.confirmed_by,
        "confirmed_at": None if proposal is None else moment(proposal.confirmed_at),
        "carrier": batch.carrier,
    }


def view_as_json(view: BatchView) -> dict[str, object]:
    """A batch with its counts and its time line, as programs read it."""
    return batch_as_json(view.batch) | {
        "receiver_name": view.receiver_name,
        "decision_number": view.decision_number,
        "waiting": view.waiting,
        "tally": _tally_as_json(view.tally),
        "events": [
            {
                "at": each.at.isoformat(),
                "account": each.account,
                "kind": each.kind.value,
                "count": each.count,
            }
            for each in view.events
        ],
    }


def show_view(view: BatchView) -> None:
    """A batch as people read it."""
    told = view_as_json(view)
    rows = [
        (name, str(value))
        for name, value in told.items()
        if value is not None and name not in ("tally", "events")
    ]
    rows += [(name, str(count)) for name, count in _tally_as_json(view.tally).items() if count]
    print_table(("What", "Value"), rows)
    print_table(
        ("When", "What", "By", "Count"),
        (
            (
                f"{each.at:%Y-%m-%d %H:%M:%S}",
                each.kind.value,
                each.account,
                "" if each.count is None else str(each.count),
            )
            for each in view.events
        ),
    )


def line_as_json(named: NamedLine, scheme: CardNumberScheme) -> dict[str, object]:
    """A line as programs read it."""
    line = named.line
    return {
        "position": line.position,
        "request_id": str(line.request_id),
        "member_id": str(line.member_id),
        "full_name": named.full_name,
        "organisation_code": line.organisation,
        "card_number": scheme.display(line.card_number),
        "is_live": line.is_live,
        "reference": None if line.reference is None else line.reference.hex(),
        "serial": None if line.serial is None else line.serial.hex().upper(),
        "state": None if line.state is None else line.state.value,
        "condemned_for": line.condemned_for,
        "produced_by": line.produced_by,
        "passed_by": line.passed_by,
        "box": line.box,
        "received_at": moment(line.received_at),
        "handed_over_at": moment(line.handed_over_at),
        "handed_over_to": line.handed_over_to,
    }


def line_cells(named: NamedLine, scheme: CardNumberScheme) -> Iterator[str]:
    """A line as people read it: place, number, where, chip, state."""
    line = named.line
    yield str(line.position)
    yield scheme.display(line.card_number)
    if named.full_name is not None:
        yield named.full_name
    yield line.organisation
    yield "" if line.serial is None else line.serial.hex().upper()
    yield "" if line.state is None else line.state.value
    yield "" if line.box is None else str(line.box)


def say(told: Mapping[str, object], sentence: str, output_format: OutputFormat) -> None:
    """One result, for programs or for people."""
    if output_format is OutputFormat.JSON:
        print_json(told)
    else:
        standard_output().print(sentence, markup=False, soft_wrap=True)


def moment(value: datetime | None) -> str | None:
    """A time as programs read it."""
    return None if value is None else value.isoformat()


def _tally_as_json(tally: BatchTally) -> dict[str, int]:
    return asdict(tally)
