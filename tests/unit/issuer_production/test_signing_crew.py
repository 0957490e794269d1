"""A crew that signs cards in processes of its own, over signers that only say who they are."""

import contextlib
import multiprocessing
import os
import signal
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

import pytest

from issuer.domain.batch import BatchId
from issuer.domain.card import Card, CardReference, CardState
from issuer.domain.chip import Serial
from issuer.domain.member import MemberId
from issuer.domain.requests import RequestId
from issuer.domain.rights import AccountName
from issuer.domain.status_allotment import StatusIndex
from issuer.errors import IssuerUnavailableError
from issuer.services.sign_cards import SigningOutcome
from issuer.signing_crew import signing_crew
from pki.errors import KeystoreError

ACCOUNT = AccountName("operator")
BATCH = BatchId(uuid.UUID(int=3))
BREAKS, KILLS = bytes(15) + b"\xfe", bytes(15) + b"\xff"


def card(reference: bytes) -> Card:
    return Card(
        reference=CardReference(reference),
        member_id=MemberId(uuid.UUID(int=1)),
        request_id=RequestId(uuid.UUID(int=2)),
        serial=Serial(reference[:10]),
        state=CardState.BOUND,
        ordinal=1,
        status=StatusIndex(list_id=bytes(8), index=0),
        profile="membercard-1-icao",
        bound_at=datetime(2026, 11, 22, tzinfo=UTC),
    )


def request(*numbers: int) -> list[Card]:
    return [card(number.to_bytes(16, "big")) for number in numbers]


class Signing:
    def sign(self, cards: Sequence[Card], *, account: AccountName | None) -> list[SigningOutcome]:
        for each in cards:
            if each.reference == BREAKS:
                raise KeystoreError("the signer is gone", code="signer.unreachable", hint="wait")
            if each.reference == KILLS:
                os.kill(os.getpid(), signal.SIGKILL)
        return [
            SigningOutcome(reference=each.reference, code=str(os.getpid()), message=account)
            for each in cards
        ]


class Ledger:
    """All that the head asks: which cards are bound."""

    def bound(self, *, batch_id: BatchId | None = None) -> tuple[Card, ...]:
        return tuple(request(1, 2, 3)) if batch_id == BATCH else ()


LEDGER: Any = Ledger()


@contextlib.contextmanager
def opened() -> Iterator[Any]:
    yield Signing()


def test_every_card_is_signed_once_and_not_in_this_process() -> None:
    requests = [request(number, number + 100) for number in range(1, 8)]
    with signing_crew(opened, cards=LEDGER, size=3) as crew:
        outcomes = list(crew.sign(requests, account=ACCOUNT))
        assert list(crew.sign([], account=ACCOUNT)) == []
        again = list(crew.sign(requests[:1]))
    expected = sorted(each.reference for cards in requests for each in cards)
    assert sorted(each.reference for each in outcomes) == expected
    assert {each.message for each in outcomes} == {ACCOUNT}
    assert str(os.getpid()) not in {each.code for each in outcomes}
    assert [each.message for each in again] == [None, None]


def test_it_signs_the_bound_cards_of_a_batch_but_those_that_are_left_out() -> None:
    with signing_crew(opened, cards=LEDGER, size=2) as crew:
        outcomes = list(crew.sign_all(batch_id=BATCH, account=ACCOUNT, limit=1))
        others = list(crew.sign_all(batch_id=BATCH, without={outcomes[0].reference}))
    assert [each.reference[-1] for each in (*outcomes, *others)] == [1, 2, 3]


def test_a_request_that_ends_all_work_is_told_behind_what_the_others_kept() -> None:
    told: list[SigningOutcome] = []
    with signing_crew(opened, cards=LEDGER, size=2) as crew, pytest.raises(KeystoreError) as caught:
        told.extend(crew.sign([[card(BREAKS)]]))
    assert (caught.value.code, caught.value.hint) == ("signer.unreachable", "wait")
    with signing_crew(opened, cards=LEDGER, size=2) as crew, pytest.raises(KeystoreError):
        told.extend(crew.sign([[card(BREAKS)], request(1)]))
    assert [each.reference for each in told] == [bytes(15) + b"\x01"]


def test_what_a_member_cannot_open_is_told_before_anything_is_signed() -> None:
    @contextlib.contextmanager
    def shut() -> Iterator[Any]:
        raise KeystoreError("no signer here", code="signer.unreachable")
        yield

    with (
        pytest.raises(KeystoreError, match="no signer here"),
        signing_crew(shut, cards=LEDGER, size=2),
    ):
        pytest.fail("there is no crew")


def test_a_member_that_is_killed_is_missed() -> None:
    with (
        signing_crew(opened, cards=LEDGER, size=1) as crew,
        pytest.raises(IssuerUnavailableError) as caught,
    ):
        list(crew.sign([[card(KILLS)], request(1)]))
    assert caught.value.code == "signing.crew-lost"


def test_a_crew_ends_where_its_head_is_killed() -> None:
    held, alive = os.pipe()
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    head = fork.Process(target=_lead, args=(theirs,))
    head.start()
    os.close(alive)
    assert ours.recv() == "ready"
    assert head.pid is not None
    os.kill(head.pid, signal.SIGKILL)
    head.join()
    # The members hold the other end as long as they live.
    assert os.read(held, 1) == b""
    os.close(held)


def _lead(end: Connection) -> None:
    with signing_crew(opened, cards=LEDGER, size=3):
        end.send("ready")
        signal.pause()
