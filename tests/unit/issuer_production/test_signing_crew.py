"""A crew that signs cards in processes of its own, over signers that only say who they are."""

import contextlib
import multiprocessing
import os
import signal
import uuid
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

import pytest

from issuer.domain.batch import BatchId
from issuer.domain.card import CardReference
from issuer.domain.rights import AccountName
from issuer.errors import IssuerUnavailableError
from issuer.services.sign_cards import SigningOutcome
from issuer.signing_crew import signing_crew
from pki.errors import KeystoreError

ACCOUNT = AccountName("operator")
BATCH = BatchId(uuid.UUID(int=3))
BREAKS, KILLS = CardReference(bytes(15) + b"\xfe"), CardReference(bytes(15) + b"\xff")


def request(*numbers: int) -> list[CardReference]:
    return [CardReference(number.to_bytes(16, "big")) for number in numbers]


class Signing:
    def sign(
        self, references: Sequence[CardReference], *, account: AccountName | None
    ) -> list[SigningOutcome]:
        for each in references:
            if each == BREAKS:
                raise KeystoreError("the signer is gone", code="signer.unreachable", hint="wait")
            if each == KILLS:
                os.kill(os.getpid(), signal.SIGKILL)
        return [
            SigningOutcome(reference=each, code=str(os.getpid()), message=account)
            for each in references
        ]


class Ledger:
    """All that the head asks: which cards are bound."""

    def bound(self, *, batch_id: BatchId | None = None) -> tuple[CardReference, ...]:
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
    expected = sorted(each for references in requests for each in references)
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
        told.extend(crew.sign([[BREAKS]]))
    assert (caught.value.code, caught.value.hint) == ("signer.unreachable", "wait")
    with signing_crew(opened, cards=LEDGER, size=2) as crew, pytest.raises(KeystoreError):
        told.extend(crew.sign([[BREAKS], request(1)]))
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
        list(crew.sign([[KILLS], request(1)]))
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
