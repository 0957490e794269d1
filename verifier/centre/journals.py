"""Taking in the journals of terminals: each record once, in its place, under the centre's own pseudonyms.

1. A page begins where the centre's copy ends, or before; what the centre has already must be the same (an edit shows).
2. What is missing between the two is refused, unless the terminal has let go of it: then the gap is kept, and an alarm raised.
3. The chain is followed with the centre's own arithmetic; the records' digests stay, their words do not.
4. Pseudonyms are moved from the terminal's key to that of the record's month. Neither the card nor the terminal's key is kept.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from verifier.centre.alarms import Alarm, AlarmRules, edited_journal, journal_gap
from verifier.centre.errors import CentreError
from verifier.centre.period_keys import PeriodKeys, period_of
from verifier.centre.records import CentreRecord
from verifier.centre.terminals import EnrolledTerminal
from verifier.services.card_pseudonym import PseudonymKey, rekeyed
from verifier.services.journal_chain import JournalHead, JournalLine, StoredHolder, first_head
from verifier.services.journal_page import JournalPage, JournalPageError, stored_record

__all__ = ["JournalDesk", "JournalStore", "JournalTransaction", "Taken"]

_FUTURE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Where the centre's copy ends now, and how many records were new."""

    head: JournalHead
    count: int


class JournalTransaction(Protocol):
    """One journal, locked for nobody else to write to."""

    def head(self) -> tuple[str, JournalHead] | None:
        """Whose it is and where it ends; ``None`` where nothing of it was ever taken."""

    def digests(self, first: int, last: int) -> dict[int, bytes]:
        """The digests of the records from one number to another that are still kept."""

    def keep(
        self, terminal: EnrolledTerminal, records: Sequence[CentreRecord], *, head: JournalHead
    ) -> None:
        """Keep records, and where the copy ends now."""

    def keep_gap(self, first: int, last: int, *, now: datetime) -> None:
        """Keep that records are missing for ever."""

    def raise_alarms(self, alarms: Iterable[Alarm], *, now: datetime) -> None:
        """Keep alarms; the same one is kept once."""

    def alarm_rules(self) -> AlarmRules:
        """What finds alarms among the records that are kept."""


class JournalStore(Protocol):
    """All journals."""

    def writing(self, name: str) -> AbstractContextManager[JournalTransaction]:
        """One transaction about one journal."""

    def drop_older_than(self, limit: datetime) -> int:
        """Let go of records and alarms of before; gives how many records."""


class JournalDesk:
    """Takes pages in."""

    def __init__(
        self,
        *,
        store: JournalStore,
        keys: PeriodKeys,
        keep_days: Callable[[], int],
        now: Callable[[], datetime],
    ) -> None:
        """``keep_days`` is what policy says now."""
        self._store = store
        self._keys = keys
        self._keep_days = keep_days
        self._now = now
        self._tidied_on = ""

    def head(self, terminal: EnrolledTerminal, name: str) -> JournalHead:
        """Where the centre's copy of a journal ends.

        Raises:
            CentreError: ``centre.journal-other-terminal``.
        """
        with self._store.writing(name) as transaction:
            return self._head(transaction, terminal, name)

    def take(self, terminal: EnrolledTerminal, name: str, page: JournalPage) -> Taken:
        """Take a page in; the same page again changes nothing.

        Raises:
            CentreError: ``centre.journal-gap``, ``centre.journal-edited``, ``centre.journal-other-terminal``.
            JournalPageError, JournalError, PseudonymError: a record is none of this terminal.
        """
        now = self._now()
        self.tidy_once_a_day(now)
        try:
            with self._store.writing(name) as transaction:
                return self._take(transaction, terminal, name, page, now)
        except CentreError as error:
            if error.code == "centre.journal-edited":
                # The transaction is gone, and what it found out must not be.
                with self._store.writing(name) as transaction:
                    alarm = edited_journal(terminal, name, str(error), at=now)
                    transaction.raise_alarms([alarm], now=now)
            raise

    def tidy_once_a_day(self, now: datetime) -> None:
        """Let go of what policy does not keep any longer, and destroy the keys of ended periods."""
        today = f"{now:%Y-%m-%d}"
        if self._tidied_on != today:
            self._store.drop_older_than(now - timedelta(days=self._keep_days()))
            self._keys.destroy_ended(now=now)
            self._tidied_on = today

    def _head(
        self, transaction: JournalTransaction, terminal: EnrolledTerminal, name: str
    ) -> JournalHead:
        found = transaction.head()
        if found is None:
            return first_head(name)
        holder, head = found
        if holder != terminal.holder:
            raise CentreError(
                f"journal {name} is that of terminal {holder}",
                code="centre.journal-other-terminal",
                hint="each terminal has a --home of its own",
            )
        return head

    def _take(
        self,
        transaction: JournalTransaction,
        terminal: EnrolledTerminal,
        name: str,
        page: JournalPage,
        now: datetime,
    ) -> Taken:
        head = self._head(transaction, terminal, name)
        if page.begin.sequence > head.sequence:
            first, last = head.sequence + 1, page.begin.sequence
            if last > page.dropped:
                raise CentreError(
                    f"records {first} to {last} of journal {name} are missing",
                    code="centre.journal-gap",
                    hint="send them first; `membercard-verifier journal upload` does",
                )
            head = page.begin
            transaction.keep(terminal, (), head=head)
            transaction.keep_gap(first, last, now=now)
            transaction.raise_alarms([journal_gap(terminal, name, first, last, at=now)], now=now)
        lines = page.lines()
        self._compare(transaction, page, lines, head)
        new = [line for line in lines if line.sequence > head.sequence]
        if not new:
            return Taken(head=head, count=0)
        records = self._records(name, new, page.release, now)
        transaction.keep(terminal, records, head=new[-1].head)
        rules = transaction.alarm_rules()
        transaction.raise_alarms(rules.found_in(terminal, name, records), now=now)
        return Taken(head=new[-1].head, count=len(new))

    def _compare(
        self,
        transaction: JournalTransaction,
        page: JournalPage,
        lines: Sequence[JournalLine],
        head: JournalHead,
    ) -> None:
        """What came and what is kept must agree wherever they overlap."""
        begin = page.begin.sequence
        came = {begin: page.begin.digest, **{line.sequence: line.digest for line in lines}}
        last = min(max(came), head.sequence)
        kept = {**transaction.digests(begin, last), head.sequence: head.digest}
        for number in sorted(came.keys() & kept.keys()):
            if came[number] != kept[number]:
                raise CentreError(
                    f"record {number} is not the one that was uploaded before: it, or one before it, was changed",
                    code="centre.journal-edited",
                    hint="keep the terminal's journal as it is, and have it looked at",
                )

    def _records(
        self, name: str, lines: Sequence[JournalLine], release: bytes, now: datetime
    ) -> list[CentreRecord]:
        keys: dict[str, PseudonymKey | None] = {}
        found = []
        for line in lines:
            record = stored_record(line)
            if record.terminal != name:
                raise JournalPageError(f"record {line.sequence} is another terminal's")
            if isinstance(record, StoredHolder):
                found.append(
                    CentreRecord(
                        line=line,
                        record=record,
                        at=_at(record.at, now),
                        period=None,
                        card=None,
                        chip=None,
                    )
                )
                continue
            period = period_of(record.at)
            if period not in keys:
                key = self._keys.of(period, now=now)
                keys[period] = None if key is None else key.after(release)
            # What has not been yet was written by a wrong clock: nobody can say which month it belongs to.
            moved = keys[period] if record.at <= now + _FUTURE else None
            found.append(
                CentreRecord(
                    line=line,
                    record=record,
                    at=_at(record.at, now),
                    period=None if moved is None else period,
                    card=_moved(record.card, moved),
                    chip=_moved(record.chip, moved),
                )
            )
        return found


def _at(told: datetime, now: datetime) -> datetime:
    """Otherwise a record of ten years ahead would be kept for ten years longer than policy says."""
    return told if told <= now + _FUTURE else now


def _moved(pseudonym: bytes | None, key: PseudonymKey | None) -> bytes | None:
    return None if pseudonym is None or key is None else rekeyed(pseudonym, key)
