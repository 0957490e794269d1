"""Opening an authority's record: the journal, and the transparency log that every signature stands in."""

import secrets
from collections.abc import Callable

from pki.errors import RecordError
from pki.home import Home
from pki.record.journal import Journal, JournalEntry
from pki.record.transparency_journal import LeafCollector, LoggedJournal
from pki.record.transparency_store import TiledLog
from pki.services.state import SIGNATURE_KINDS

__all__ = ["open_record", "rebuild_log"]

_MAX_REPLACED: int = 1000


def open_record(home: Home, *, replay: Callable[[JournalEntry], None]) -> LoggedJournal:
    """The record of a home, which the caller owns until it is closed; every entry goes to ``replay`` first.

    Raises:
        RecordError: ``record.locked``, ``record.damaged``, ``record.unreadable``; ``log.ahead``, ``log.damaged``,
            ``log.cut``, ``log.unreadable``, ``log.write-failed``.
    """
    return LoggedJournal.open(
        home.journal,
        log_directory=home.log,
        logged_kinds=SIGNATURE_KINDS,
        replay=replay,
        random_bytes=secrets.token_bytes,
    )


def rebuild_log(home: Home, *, check: Callable[[LeafCollector], None]) -> int:
    """Make the log anew from the journal, once ``check`` has approved of it; give back its number of leaves.

    The old files are kept under another name, as evidence.

    Raises:
        RecordError: as ``open_record``; whatever ``check`` raises.
    """
    collector = LeafCollector(logged_kinds=SIGNATURE_KINDS, replay=lambda _: None)
    with Journal.open(home.journal, replay=collector.take):
        check(collector)
        _put_aside(home)
        TiledLog.open(home.log, leaf_hashes=collector.leaf_hashes, acknowledged=0).close()
    return collector.size


def _put_aside(home: Home) -> None:
    if not home.log.exists():
        return
    for number in range(1, _MAX_REPLACED):
        aside = home.directory / f"log.replaced-{number}"
        if not aside.exists():
            try:
                home.log.rename(aside)
            except OSError as error:
                raise RecordError(
                    f"log {home.log} cannot be put aside: {error.strerror}",
                    code="log.write-failed",
                ) from error
            return
    raise RecordError(
        f"{home.directory} holds {_MAX_REPLACED - 1} replaced logs", code="log.write-failed"
    )
