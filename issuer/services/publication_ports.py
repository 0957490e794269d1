"""Ports of publishing what cards count as."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from issuer.domain.audit import AuditRecord
from issuer.domain.rights import AccountName
from pki.signed.card_states import CardState, CardStates
from pki.signed.status_list import StatusList

__all__ = [
    "ListedPosition",
    "Publication",
    "StatusLedger",
    "StatusListIssuer",
    "StatusShelf",
]


ListedPosition = tuple[bytes, int, int]
"""A list, an index of it, and the number of the state in which its card is: millions of them pass, so they are plain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A status list that was published.

    Attributes:
        number: the list's.
        this_update: when it was made.
        next_update: when the next one comes at the latest.
        digest: SHA-256 of the file.
        changes: how many positions changed.
        account: who had it published.
        at: when it was recorded here.
    """

    number: int
    this_update: datetime
    next_update: datetime
    digest: bytes
    changes: int
    account: AccountName
    at: datetime


class StatusLedger(Protocol):
    """What cards count as, in numbers of millions: nothing here holds them all."""

    def exclusively(self) -> AbstractContextManager[None]:
        """Whoever publishes is alone.

        Raises:
            IssuerRefusedError: ``status.publishing``: somebody does already.
        """

    def lists(self) -> tuple[int, tuple[bytes, ...]]:
        """How many positions each list has, and the lists that were begun.

        Raises:
            IssuerRefusedError: ``status.list-sizes``: they are not of one size.
        """

    def activated(self) -> Iterator[ListedPosition]:
        """Every position whose card is not *not handed over*, in no order."""

    def unpublished(self) -> Iterator[ListedPosition]:
        """Every position of whose card the last list says something else."""

    def has_unpublished(self) -> bool:
        """Whether the last list says something else of any card; quick, however many cards there are."""

    def counts(self) -> tuple[dict[CardState, int], int]:
        """How many cards count as what, and of how many the last list says something else."""

    def mark(self, positions: Iterable[ListedPosition]) -> None:
        """A list says so of these positions now, whatever has become of their cards since."""

    def mark_list(self, list_id: bytes, table: bytes) -> None:
        """A list says this of all its positions now; for many changes of one list."""

    def newest(self) -> Publication | None:
        """What was published last."""

    def add(self, publication: Publication, record: AuditRecord) -> None:
        """Record a publication, with its record in the audit trail."""


class StatusListIssuer(Protocol):
    """Whoever signs status lists."""

    def issue(self, states: CardStates, *, days: int) -> bytes:
        """The next list, signed and recorded where its signer is.

        Raises:
            PkiError: it was refused, or cannot be had.
        """


class StatusShelf(Protocol):
    """Where the published list is kept, and from where terminals get it."""

    def current(self) -> bytes | None:
        """The list that was put here last.

        Raises:
            IssuerUnavailableError: it cannot be read (``status.unreadable``).
        """

    def admit(self, der: bytes) -> StatusList:
        """Read a list, as terminals will.

        Raises:
            PkiDataError: it is none, or its terminals would not believe it.
        """

    def put(self, der: bytes, *, number: int, delta: bytes | None) -> None:
        """Publish a list over the one before, and what leads to it from there.

        Raises:
            IssuerUnavailableError: ``status.unwritable``.
        """
