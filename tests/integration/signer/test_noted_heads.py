"""The signer process takes heads of other journals into its log, between the cards."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pki.errors import PkiError
from pki.home import Home as PkiHome
from pki.services.journal_head_state import NotedHead
from pki.services.journal_heads import read_noted_head
from pki.services.log_reading import log_key
from pki.signer_service.head_client import note_head_over_socket

Home = Any
Card = Callable[..., Any]


def head(sequence: int, journal: bytes = bytes(16)) -> NotedHead:
    digest = hashlib.sha256(str(sequence).encode()).digest()
    return NotedHead(journal=journal, sequence=sequence, digest=digest)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


@pytest.mark.parametrize(
    "fixture", ["signer_home", pytest.param("token_home", marks=pytest.mark.hsm)]
)
def test_heads_are_noted_while_cards_are_signed(
    fixture: str, request: pytest.FixtureRequest, card: Card
) -> None:
    home = request.getfixturevalue(fixture)
    assert home.pki("log", "checkpoint") == 0
    authorisation = home.authorise(40)
    home.start()
    failures: list[BaseException] = []

    def sign() -> None:
        try:
            with home.client(authorisation) as signer:
                for _ in range(4):
                    assert len(signer.sign_many([card() for _ in range(10)])) == 10
        except BaseException as error:  # noqa: BLE001 - the test's own thread reports it
            failures.append(error)

    signing = threading.Thread(target=sign)
    signing.start()
    proofs = [note_head_over_socket(home.socket, head(number)) for number in range(1, 5)]
    signing.join()
    assert failures == []
    assert code_of(lambda: note_head_over_socket(home.socket, head(3))) == "journal-head.back"
    key = log_key(PkiHome(home.home))
    for number, proof in enumerate(proofs, start=1):
        entry, _ = proof.verify([key])
        assert read_noted_head(entry) == head(number)
    assert home.stop() == (0, "")
    assert len(home.entries()) == 40
    assert home.pki("log", "verify") == 0


def test_what_was_noted_is_known_after_a_kill(signer_home: Home) -> None:
    assert signer_home.pki("log", "checkpoint") == 0
    signer_home.start()
    note_head_over_socket(signer_home.socket, head(5))
    signer_home.kill()
    signer_home.start()
    assert (
        code_of(lambda: note_head_over_socket(signer_home.socket, head(4))) == "journal-head.back"
    )
    note_head_over_socket(signer_home.socket, head(5))
    assert signer_home.stop() == (0, "")


def test_a_log_that_has_no_key_yet_takes_no_head(signer_home: Home) -> None:
    signer_home.start()
    assert code_of(lambda: note_head_over_socket(signer_home.socket, head(1))) == "log.not-started"
    assert signer_home.stop() == (0, "")
    assert not signer_home.state().journal_heads.newest


def test_a_signer_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    assert code_of(lambda: note_head_over_socket(tmp_path / "s", head(1))) == "signer.unreachable"
