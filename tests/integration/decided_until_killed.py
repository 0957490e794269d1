"""A process that decides requests until it is killed, and what another finds afterwards."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from issuer.db.base import Database
from issuer.db.request_tables import AllottedNumberRow, DecisionRequestRow, DecisionRow, RequestRow
from issuer.domain.decisions import DecisionId, DecisionState
from issuer.domain.requests import RequestId, RequestState
from issuer.storage.number_mark_file import FileNumberMarkStore
from tests.contract.requests_stage import DRAFT, NEW_ISSUE, SECOND, Portraits, Stage, codes

__all__ = ["AT_ONCE", "GivenOut", "given_out", "marks_in", "stage_of"]

AT_ONCE = 5
"""Requests of one decision: more than one transaction takes, so that a kill falls between them, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenOut:
    """Numbers by the request that has each, and how often they were given out, as the register and the mark say."""

    numbers: dict[RequestId, str]
    allotments: int
    marked: int
    left_tabled: int


def marks_in(folder: Path) -> FileNumberMarkStore:
    """The mark outside the database."""
    return FileNumberMarkStore(folder / "numbers")


def stage_of(url: str, folder: Path, *, life: int) -> Stage:
    """The use cases over a register that other processes were killed over."""
    stage = Stage(Database(url), marks=marks_in(folder), first_id=life * 1_000_000)
    Portraits(stage.stores.portraits).put(b"portrait")
    return stage


def given_out(stage: Stage, folder: Path) -> GivenOut:
    """What stands in the register, which the database itself keeps from holding a number twice."""
    mark = marks_in(folder).read()
    with stage.database.reading() as session:
        rows = session.execute(sa.select(AllottedNumberRow.request_id, AllottedNumberRow.number))
        numbers = {RequestId(row.request_id): str(row.number) for row in rows}
        left = len(session.scalars(_tabled(RequestRow.id)).all())
    with stage.register.reading() as transaction:
        state = transaction.numbers.state()
    return GivenOut(
        numbers=numbers,
        allotments=0 if state is None else state.allotments,
        marked=0 if mark is None else mark.allotments,
        left_tabled=left,
    )


def end_what_was_broken_off(stage: Stage) -> None:
    """Confirm once more what an earlier process had confirmed and not ended."""
    with stage.database.reading() as session:
        broken_off = set(session.scalars(_tabled(DecisionRow.id)))
    for decision in broken_off:
        told = codes(stage.confirming.confirm(DecisionId(decision), actor=SECOND))
        assert set(told) == {None}


def decide(stage: Stage, members: range, *, life: int) -> Iterator[list[RequestId]]:
    """Decide for these members, some at a time."""
    for place in range(0, len(members), AT_ONCE):
        requests = stage.compiled(*members[place : place + AT_ONCE], wish=NEW_ISSUE)
        decision, outcomes = stage.prepare(
            requests, draft=replace(DRAFT, number=f"{life}-{place}-QĐ/TU")
        )
        assert codes(outcomes) == [None] * len(requests)
        assert codes(stage.confirm(decision)) == [None] * len(requests)
        yield requests


def _tabled(column: InstrumentedAttribute[UUID]) -> sa.Select[tuple[UUID]]:
    return (
        sa.select(column)
        .select_from(RequestRow)
        .join(DecisionRequestRow, DecisionRequestRow.request_id == RequestRow.id)
        .join(DecisionRow, DecisionRow.id == DecisionRequestRow.decision_id)
        .where(
            RequestRow.state == RequestState.TABLED.value,
            DecisionRow.state == DecisionState.CONFIRMED.value,
        )
    )


def _main() -> None:
    url, folder, life, first, end = sys.argv[1:]
    stage = stage_of(url, Path(folder), life=int(life))
    end_what_was_broken_off(stage)
    # Those of odd number held no card before: each gets a new number.
    for requests in decide(stage, range(int(first) | 1, int(end), 2), life=int(life)):
        sys.stdout.write(" ".join(each.hex for each in requests) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
