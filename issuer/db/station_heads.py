"""How far the centre has the journal of a station, and what it means where the journal says otherwise."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.station_tables import StationChainRow, StationRow
from issuer.domain.production_events import JournalHead, ProductionEvent, StationName, next_head
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = ["journal_back", "keep_chains", "reach", "require_same_journal", "was_reached"]

_CHAIN_BYTES: Final = 32
_EVENTS_KEPT: Final = 50_000
"""As many as a carried report holds: one that lay about for longer is looked at by a person."""


def require_same_journal(row: StationRow, known: JournalHead) -> None:
    """Before a station is given anything: its journal is the one that was handed in, and nothing of it is lost here.

    Raises:
        IssuerRefusedError: ``station.journal-back``, ``station.centre-back``.
    """
    if known == JournalHead(sequence=row.sequence, chain=row.chain):
        return
    name = StationName(row.name)
    if known.sequence > row.sequence:
        raise _centre_back(name, row.sequence, known.sequence)
    raise journal_back(name, row.sequence, known.sequence)


def reach(station: StationName, head: JournalHead, event: ProductionEvent) -> JournalHead:
    """Where the journal stands after its next event.

    Raises:
        IssuerRefusedError: it is not the next one (``station.journal-back``, ``station.centre-back``).
    """
    if event.sequence > head.sequence + 1:
        raise _centre_back(station, head.sequence, event.sequence - 1)
    try:
        return next_head(head, event)
    except IssuerDataError as error:
        raise journal_back(station, head.sequence, event.sequence) from error


def keep_chains(session: Session, row: StationRow, chains: Sequence[bytes]) -> None:
    """Keep what the chain was at each event up to where the row stands now; what lies far behind is forgotten."""
    session.add(StationChainRow(station=row.name, last=row.sequence, chains=b"".join(chains)))
    session.execute(
        sa.delete(StationChainRow).where(
            StationChainRow.station == row.name,
            StationChainRow.last <= row.sequence - _EVENTS_KEPT,
        )
    )


def was_reached(session: Session, row: StationRow, head: JournalHead) -> bool:
    """Whether the journal that the centre has once stood there: what goes no further tells nothing new."""
    kept = session.scalar(
        sa.select(StationChainRow)
        .where(StationChainRow.station == row.name, StationChainRow.last >= head.sequence)
        .order_by(StationChainRow.last)
        .limit(1)
    )
    if kept is None:
        return False
    start = len(kept.chains) - _CHAIN_BYTES * (kept.last - head.sequence + 1)
    return start >= 0 and kept.chains[start : start + _CHAIN_BYTES] == head.chain


def journal_back(station: StationName, known: int, got: int) -> IssuerRefusedError:
    """The journal is an older copy, or another one."""
    return IssuerRefusedError(
        f"the journal of station {station} stands at event {got} and does not go on from event {known}, "
        "which the centre has",
        code="station.journal-back",
        hint="the journal was restored, exchanged or begun anew: bring the newest disk back, or dismiss the station, look "
        "at every chip it had, and give the computer another name and a site of its own",
    )


def _centre_back(station: StationName, known: int, got: int) -> IssuerRefusedError:
    return IssuerRefusedError(
        f"station {station} has handed in {got} events, and the centre has {known} of them",
        code="station.centre-back",
        hint='the register was restored from a backup: see "After a restore" in docs/backup.md',
    )
