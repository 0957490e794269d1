"""Use case: say to the world what every card counts as, in one signed list, and in what leads to it from the last one.

The list before is kept, so that a day's changes are read and not millions of cards; where it is not the one that was
recorded, or somebody asks for it, everything is read anew. Nothing is signed here: the signer compares with the list
that it knows, and lets no card revive.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import compress
from operator import ne
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.rights import AccountName, Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.publication_ports import (
    ListedPosition,
    Publication,
    StatusLedger,
    StatusListIssuer,
    StatusShelf,
)
from pki.errors import PkiError
from pki.signed.card_states import CardState, CardStates
from pki.signed.status_list import StatusList
from pki.signed.status_list_delta import StatusListDelta

__all__ = ["STATUS_LIST", "PublishedStatus", "PublishingTimes", "StatusPublishing"]

_MANY: Final = 1000
"""Changes of one list beyond which all of its cards are looked at."""

STATUS_LIST: Final = "status-list"
"""What the audit trail calls the thing that is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedStatus:
    """A publication, how it came about, and the list; ``delta_bytes`` of nothing for the first one."""

    publication: Publication
    is_full: bool
    delta_bytes: int
    der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishingTimes:
    """How old a list may be before what changed since is published, and for how many days each is current."""

    every: timedelta
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPublishing:
    """Everything that publishing needs from the world; ``clock`` gives aware UTC."""

    ledger: StatusLedger
    shelf: StatusShelf
    clock: Callable[[], datetime]

    def states(self, *, actor: Actor) -> CardStates:
        """What the next list says, read anew: for a signer that is on no wire.

        Raises:
            IssuerRefusedError: ``right.missing``; ``status.no-lists``; ``status.list-sizes``.
        """
        actor.demand(Right.OPERATE_SERVICE, place=(), now=self.clock())
        return self._with(None, self.ledger.activated())

    def publish(
        self, issuer: StatusListIssuer, *, actor: Actor, days: int, is_full: bool = False
    ) -> PublishedStatus:
        """Have the next list signed, and put it where terminals get it.

        Args:
            issuer: who signs.
            actor: who asks; needs ``service.operate``.
            days: when the next list comes at the latest.
            is_full: read every card, whatever is known of the last list.

        Raises:
            IssuerRefusedError: ``right.missing``; ``status.publishing``; ``status.no-lists``;
                ``status.list-sizes``; ``status.not-as-asked``: the signer signed something else.
            PkiError: the signer refuses, or what it signed would not be believed.
            IssuerUnavailableError: the list is signed, and cannot be put into its place: publish again.
        """
        actor.demand(Right.OPERATE_SERVICE, place=(), now=self.clock())
        with self.ledger.exclusively():
            return self._publish(issuer, account=actor.account, days=days, is_full=is_full)

    def is_due(self, times: PublishingTimes) -> bool:
        """Whether a list is to be published that nobody asked for.

        That is where none was published and cards were bound; where the last one is as old as ``times.every`` and
        something changed since; and where a third of the time is left until it ends, so that what stands in the way
        of the next one can be mended before terminals refuse cards.
        """
        newest = self.ledger.newest()
        if newest is None:
            return bool(self.ledger.lists()[1])
        now = self.clock()
        if now >= newest.next_update - timedelta(days=times.days) / 3:
            return True
        return now - newest.at >= times.every and self.ledger.has_unpublished()

    def publish_when_due(
        self, issuer: StatusListIssuer, *, times: PublishingTimes, account: AccountName
    ) -> PublishedStatus | None:
        """Publish if it is due once one is alone: of many that find it due at the same time one publishes.

        Raises:
            IssuerRefusedError, PkiError, IssuerUnavailableError: as ``publish``.
        """
        with self.ledger.exclusively():
            if not self.is_due(times):
                return None
            return self._publish(issuer, account=account, days=times.days, is_full=False)

    def take(self, der: bytes, *, actor: Actor) -> PublishedStatus:
        """Publish a list that a signer on no wire has signed.

        Raises:
            IssuerRefusedError: ``right.missing``; ``status.publishing``; ``status.not-newer``.
            PkiError: it is no list, or terminals would not believe it.
            IssuerUnavailableError: as ``publish``.
        """
        actor.demand(Right.OPERATE_SERVICE, place=(), now=self.clock())
        with self.ledger.exclusively():
            listed = self.shelf.admit(der)
            newest = self.ledger.newest()
            if newest is not None and listed.number <= newest.number:
                raise IssuerRefusedError(
                    f"status list {listed.number} is not newer than {newest.number}, the last one",
                    code="status.not-newer",
                )
            base = self._base()
            return self._put(listed, base, account=actor.account, is_full=base is None)

    def _publish(
        self, issuer: StatusListIssuer, *, account: AccountName, days: int, is_full: bool
    ) -> PublishedStatus:
        base = self._base()
        if is_full or base is None:
            states = self._with(None, self.ledger.activated())
        else:
            states = self._with(base.states, self.ledger.unpublished())
        listed = self.shelf.admit(issuer.issue(states, days=days))
        if listed.states != states:
            raise IssuerRefusedError(
                f"status list {listed.number} does not say what was asked for",
                code="status.not-as-asked",
            )
        return self._put(listed, base, account=account, is_full=is_full or base is None)

    def _base(self) -> StatusList | None:
        """The list that was published last; ``None`` where it is not here, or not the one on record."""
        newest = self.ledger.newest()
        der = self.shelf.current()
        if newest is None or der is None or sha256(der).digest() != newest.digest:
            return None
        try:
            return StatusList.from_bytes(der)
        except PkiError:
            return None

    def _with(self, base: CardStates | None, positions: Iterator[ListedPosition]) -> CardStates:
        """The states of a base, and what is known of these positions; where nothing is known, nobody has a card."""
        size, lists = self.ledger.lists()
        if not lists:
            raise IssuerRefusedError(
                "no card was ever bound, so there is nothing to publish", code="status.no-lists"
            )
        blank = bytes([CardState.NOT_HANDED_OVER]) * size
        tables: dict[bytes, bytes | bytearray] = dict.fromkeys(lists, blank)
        tables.update({} if base is None else base.tables)
        for list_id, index, state in positions:
            table = tables.get(list_id, blank)
            if isinstance(table, bytes):
                table = tables[list_id] = bytearray(table)
            table[index] = state
        return CardStates(
            positions=size, tables={list_id: bytes(table) for list_id, table in tables.items()}
        )

    def _put(
        self,
        listed: StatusList,
        base: StatusList | None,
        *,
        account: AccountName,
        is_full: bool,
    ) -> PublishedStatus:
        delta = None if base is None else StatusListDelta.between(base, listed).to_bytes()
        self.shelf.put(listed.der, number=listed.number, delta=delta)
        changes = self._mark(None if is_full or base is None else base.states, listed.states)
        if is_full and base is not None:
            changes = sum(len(each) for _, each in _changed(base.states, listed.states))
        now = self.clock()
        publication = Publication(
            number=listed.number,
            this_update=listed.this_update,
            next_update=listed.next_update,
            digest=sha256(listed.der).digest(),
            changes=changes,
            account=account,
            at=now,
        )
        self.ledger.add(
            publication,
            AuditRecord(
                at=now,
                account=account,
                action="status.published",
                subject=AuditSubject.SERVICE,
                subject_id=STATUS_LIST,
                details={
                    "number": publication.number,
                    "changes": publication.changes,
                    "digest": publication.digest.hex(),
                },
            ),
        )
        return PublishedStatus(
            publication=publication,
            is_full=is_full,
            delta_bytes=0 if delta is None else len(delta),
            der=listed.der,
        )

    def _mark(self, before: CardStates | None, now: CardStates) -> int:
        """Mark each list that changed in few places there, and every other one as a whole; how many places it was."""
        count = 0
        few: list[ListedPosition] = []
        for list_id, indexes in _changed(before, now):
            count += len(indexes)
            table = now.tables[list_id]
            if len(indexes) > _MANY:
                self.ledger.mark_list(list_id, table)
            else:
                few += [(list_id, index, table[index]) for index in indexes]
        self.ledger.mark(few)
        return count


def _changed(before: CardStates | None, now: CardStates) -> Iterator[tuple[bytes, list[int]]]:
    """The lists that changed, each with the indexes; without a list before, from *not handed over*."""
    blank = bytes([CardState.NOT_HANDED_OVER]) * now.positions
    for list_id, table in now.tables.items():
        earlier = blank if before is None else before.tables.get(list_id, blank)
        if earlier != table:
            yield list_id, list(compress(range(now.positions), map(ne, earlier, table)))
