"""The signer process signs status lists, beside the cards: no card revives, and a kill costs a number at most."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from pki.errors import PkiError
from pki.home import Home as PkiHome
from pki.signed.card_states import CardState, CardStates
from pki.signed.status_list import StatusList
from pki.signer_service.status_client import issue_status_over_socket

Home = Any
Card = Callable[..., Any]
LIST = bytes(range(8))


def states(*of: CardState) -> CardStates:
    return CardStates(positions=16, tables={LIST: bytes(of).ljust(16, b"\x01")})


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def with_list_signer(home: Home) -> None:
    create = ("signer", "create", "--id", "status-1", "--profile", "status-list-signer")
    assert home.pki(*create) == 0


def issue(home: Home, *of: CardState, days: int = 7) -> StatusList:
    return StatusList.from_bytes(issue_status_over_socket(home.socket, states(*of), days=days))


@pytest.mark.parametrize(
    "fixture", ["signer_home", pytest.param("token_home", marks=pytest.mark.hsm)]
)
def test_lists_are_signed_while_cards_are(
    fixture: str, request: pytest.FixtureRequest, card: Card
) -> None:
    home = request.getfixturevalue(fixture)
    with_list_signer(home)
    authorisation = home.authorise(20)
    home.start()
    failures: list[BaseException] = []

    def sign() -> None:
        try:
            with home.client(authorisation) as signer:
                for _ in range(2):
                    assert len(signer.sign_many([card() for _ in range(10)])) == 10
        except BaseException as error:  # noqa: BLE001 - the test's own thread reports it
            failures.append(error)

    signing = threading.Thread(target=sign)
    signing.start()
    first = issue(home, CardState.VALID, CardState.VALID)
    signing.join()
    assert failures == []
    assert first.states == states(CardState.VALID, CardState.VALID)
    assert first.next_update - first.this_update == timedelta(days=7)
    refusal = code_of(lambda: issue(home, CardState.NOT_HANDED_OVER, CardState.VALID))
    assert refusal == "status-list.transition"
    assert PkiHome(home.home).kept_status_list(first.number) == first.der
    assert home.stop() == (0, "")
    assert len(home.entries()) == 20


def test_a_process_without_a_list_signer_refuses_and_signs_cards_on(
    signer_home: Home, card: Card
) -> None:
    authorisation = signer_home.authorise(1)
    signer_home.start()
    assert code_of(lambda: issue(signer_home, CardState.VALID)) == "status-list.no-signer"
    with signer_home.client(authorisation) as signer:
        assert len(signer.sign_many([card()])) == 1
    assert signer_home.stop() == (0, "")


def test_what_was_signed_before_a_kill_is_the_list_before(signer_home: Home) -> None:
    with_list_signer(signer_home)
    signer_home.start()
    first = issue(signer_home, CardState.LOST)
    signer_home.kill()
    signer_home.start()
    assert code_of(lambda: issue(signer_home, CardState.VALID)) == "status-list.transition"
    assert signer_home.stop() == (0, "")
    assert signer_home.state().status_list.number == first.number
