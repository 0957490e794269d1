"""A crew of processes that sign cards side by side: one process runs no two threads of Python at a time.

Each member opens its own connections to the database and to the signer. The head hands each one a request after the
other. Where the head is killed the members notice, finish what they are at, and end; where a member is killed, the
head says so, and whoever signs the batch again goes on behind what was kept.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection, wait
from typing import Any, Final

from issuer.domain.batch import BatchId
from issuer.domain.card import CardReference
from issuer.domain.rights import AccountName
from issuer.errors import IssuerError, IssuerUnavailableError
from issuer.services.interpreter_pace import paced_for_many_rows
from issuer.services.production_ports import CardLedger
from issuer.services.sign_cards import CardSigning, SigningOutcome, bound_in_requests
from pki.errors import PkiError

__all__ = ["SigningCrew", "signing_crew"]

_MOST_MEMBERS: Final = 4
"""More of them would wait for the signer and for the database rather than work."""

# A fork takes keys and settings along in memory: nothing of them goes through a pipe, a file or an environment.
_FORK: Final = multiprocessing.get_context("fork")

OpenSigning = Callable[[], AbstractContextManager[CardSigning]]


class SigningCrew:
    """Implements ``SigningOfCards``."""

    def __init__(self, members: Sequence[Connection], cards: CardLedger) -> None:
        self._members = members
        self._cards = cards

    def sign_all(
        self,
        *,
        limit: int | None = None,
        batch_id: BatchId | None = None,
        account: AccountName | None = None,
        without: Collection[CardReference] = (),
    ) -> Iterator[SigningOutcome]:
        """As ``CardSigning.sign_all``, but requests end in the order in which they are done."""
        requests = bound_in_requests(self._cards, limit=limit, batch_id=batch_id, without=without)
        return self.sign(requests, account=account)

    def sign(
        self, requests: Sequence[Sequence[CardReference]], *, account: AccountName | None = None
    ) -> Iterator[SigningOutcome]:
        """Cards in requests as the signer takes them, as many at once as there are members.

        Raises:
            IssuerUnavailableError: a member of the crew was ended from outside (``signing.crew-lost``).
            IssuerUnavailableError, KeystoreError, RecordError: a member can sign nothing any more.
        """
        waiting = iter(requests)
        busy: list[Connection] = []
        failed: IssuerError | PkiError | None = None
        for member, references in zip(self._members, waiting, strict=False):
            _hand(member, references, account)
            busy.append(member)
        while busy:
            for member in _ready(busy):
                busy.remove(member)
                try:
                    yield from _answer(member)
                except (IssuerError, PkiError) as error:
                    # The others come to the end of what they are at, so that what was kept is told.
                    failed = error
                if failed is None and (following := next(waiting, None)) is not None:
                    _hand(member, following, account)
                    busy.append(member)
        if failed is not None:
            raise failed


@contextlib.contextmanager
def signing_crew(
    open_signing: OpenSigning, *, cards: CardLedger, size: int | None = None
) -> Iterator[SigningCrew]:
    """A crew whose every member has opened what it needs; nobody else may hold a connection of theirs meanwhile.

    Args:
        open_signing: opens the use case in a member's process, with connections of its own.
        cards: the register of cards, for the head.
        size: how many members; where it is not given, two for a processor, because one of them waits for the disk or the
            signer, and at most four.

    Raises:
        IssuerError, PkiError: what opening ended in.
    """
    ends: list[Connection] = []
    processes: list[Any] = []
    # What is there already is never collected, so that its memory stays shared and no member walks it.
    gc.freeze()
    try:
        for _ in range(size or min(_MOST_MEMBERS, 2 * (os.cpu_count() or 1))):
            head, member = _FORK.Pipe()
            ends.append(head)
            process = _FORK.Process(target=_serve, args=(member, tuple(ends), open_signing))
            process.start()
            processes.append(process)
            member.close()
        for end in ends:
            _answer(end)
        yield SigningCrew(ends, cards)
    finally:
        for end in ends:
            end.close()
        for process in processes:
            process.join()


def _serve(member: Connection, heads: Sequence[Connection], open_signing: OpenSigning) -> None:
    """The work of one member, until its head closes the line or is gone."""
    # An interruption at the keyboard is the head's to judge: what is begun comes to its end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for each in heads:
        # While a member holds the head's end, nobody would notice that the head is gone.
        each.close()
    with contextlib.suppress(EOFError, BrokenPipeError):
        try:
            with open_signing() as signing, paced_for_many_rows():
                member.send(())
                while True:
                    references, account = member.recv()
                    member.send(tuple(signing.sign(references, account=account)))
        except (IssuerError, PkiError) as error:
            member.send(error)


def _hand(
    member: Connection, references: Sequence[CardReference], account: AccountName | None
) -> None:
    # Who has gone is missed where the answer is awaited.
    with contextlib.suppress(BrokenPipeError):
        member.send((references, account))


def _ready(members: Sequence[Connection]) -> list[Connection]:
    return [each for each in wait(members) if isinstance(each, Connection)]


def _answer(member: Connection) -> Sequence[SigningOutcome]:
    try:
        found = member.recv()
    except (EOFError, ConnectionResetError) as error:
        raise IssuerUnavailableError(
            "a process that signs cards ended before it was told to",
            code="signing.crew-lost",
            hint="sign the batch again: it goes on behind what was kept",
        ) from error
    if isinstance(found, Exception):
        raise found
    outcomes: Sequence[SigningOutcome] = found
    return outcomes
