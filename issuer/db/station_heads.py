"""How far the centre has the journal of a station, and what it means where the journal says otherwise."""

from issuer.db.station_tables import StationRow
from issuer.domain.production_events import JournalHead, ProductionEvent, StationName, next_head
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = ["journal_back", "reach", "require_same_journal"]


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
