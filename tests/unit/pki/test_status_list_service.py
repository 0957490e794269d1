"""Issuing status lists: recorded before they are signed, numbered upwards, and no card revives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from pki.certificates.profile import load_certificate_profile
from pki.errors import PkiError
from pki.services.authority import AuthorityRequest
from pki.services.status_lists import StatusListService
from pki.services.trust_export import export_trust
from pki.signed.card_states import CardState, CardStates
from pki.signed.status_list import StatusList
from pki.signed.status_list_delta import StatusListDelta

LIST = bytes(range(8))


class MemoryShelf:
    def __init__(self) -> None:
        self.kept: dict[int, bytes] = {}
        self.published: dict[str, bytes] = {}

    def keep_status_list(self, number: int, der: bytes) -> None:
        self.kept[number] = der

    def kept_status_list(self, number: int) -> bytes | None:
        return self.kept.get(number)

    def publish_status_list(self, name: str, der: bytes) -> None:
        self.published[name] = der

    def publish_status_delta(self, name: str, number: int, data: bytes) -> None:
        self.published[f"{name}-{number}"] = data


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def states(*of: CardState) -> CardStates:
    return CardStates(positions=16, tables={LIST: bytes(of).ljust(16, b"\x01")})


@pytest.fixture
def shelf() -> MemoryShelf:
    return MemoryShelf()


@pytest.fixture
def office(memory_office: Any) -> Any:
    with memory_office.open() as service:
        service.create_authority(
            AuthorityRequest(
                name="Trial",
                country="VN",
                is_test=True,
                distribution_point="http://pki.example/csca-1.crl",
            ),
            profile=load_certificate_profile("csca"),
        )
        service.create_signer("status-1", profile=load_certificate_profile("status-list-signer"))
        service.issue_crl()
    return memory_office


@contextmanager
def at_work(office: Any, shelf: MemoryShelf) -> Iterator[StatusListService]:
    office.now += timedelta(seconds=1)
    with office.open() as authority:
        yield StatusListService(authority, shelf)


def test_a_list_is_numbered_recorded_kept_and_published_with_its_delta(
    office: Any, shelf: MemoryShelf
) -> None:
    with at_work(office, shelf) as service:
        first = service.issue(states(CardState.VALID))
    with at_work(office, shelf) as service:
        second = service.issue(states(CardState.LOST, CardState.VALID))
    assert (first.status_list.number, first.changes, first.delta) == (1, 1, None)
    assert (second.status_list.number, second.changes) == (2, 2)
    assert office.state.status_list.number == 2
    assert office.state.status_list.sha256 == second.status_list.fingerprint
    assert shelf.published["csca-1"] == second.status_list.der == shelf.kept[2]
    delta = StatusListDelta.from_bytes(shelf.published["csca-1-2"])
    assert delta.apply(first.status_list).der == second.status_list.der
    kinds = [entry.kind for entry in office.entries()]
    assert kinds[-3:] == ["number.reserved", "status-list.intended", "status-list.issued"]
    intent = office.entries("status-list.intended")[-1]
    assert intent.number("number") == 2


def test_no_card_revives_and_nothing_is_signed(office: Any, shelf: MemoryShelf) -> None:
    with at_work(office, shelf) as service:
        service.issue(states(CardState.LOST))
    count = len(office.entries())
    with at_work(office, shelf) as service:
        assert code_of(lambda: service.issue(states(CardState.VALID))) == "status-list.transition"
        gone = CardStates(positions=16, tables={})
        assert code_of(lambda: service.issue(gone)) == "status-list.list-vanished"
    assert len(office.entries()) == count


def test_the_list_before_must_be_the_one_that_was_issued(office: Any, shelf: MemoryShelf) -> None:
    with at_work(office, shelf) as service:
        first = service.issue(states(CardState.LOST)).status_list
        shelf.kept.clear()
    with at_work(office, shelf) as service:
        wanted = states(CardState.LOST, CardState.VALID)
        assert code_of(lambda: service.issue(wanted)) == "status-list.previous-missing"
        other = first.der[:-1] + bytes([first.der[-1] ^ 1])
        assert (
            code_of(lambda: service.issue(wanted, previous=other)) == "status-list.previous-missing"
        )
        assert service.issue(wanted, previous=first.der).changes == 1


def test_one_list_a_second(office: Any, shelf: MemoryShelf) -> None:
    with at_work(office, shelf) as service:
        service.issue(states())
        assert code_of(lambda: service.issue(states())) == "status-list.not-newer"


def test_nobody_but_a_status_list_signer_signs(memory_office: Any, shelf: MemoryShelf) -> None:
    with memory_office.open() as authority:
        authority.create_authority(
            AuthorityRequest(
                name="Trial",
                country="VN",
                is_test=True,
                distribution_point="http://pki.example/csca-1.crl",
            ),
            profile=load_certificate_profile("csca"),
        )
        authority.create_signer("stop-1", profile=load_certificate_profile("stop-list-signer"))
        service = StatusListService(authority, shelf)
        assert code_of(lambda: service.issue(states())) == "status-list.no-signer"


@pytest.mark.parametrize("point", ["before_write", "after_write", "keystore.before"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_crash_anywhere_leaves_a_number_used_and_the_next_list_whole(
    office: Any, shelf: MemoryShelf, crash_error: type[Exception], point: str, at: int
) -> None:
    with at_work(office, shelf) as service:
        service.issue(states(CardState.VALID))
    crash = office.keystore.before if point == "keystore.before" else getattr(office, point)
    crash.count, crash.at = 0, at
    try:
        with at_work(office, shelf) as service:
            service.issue(states(CardState.VALID, CardState.VALID))
    except crash_error:
        pass
    crash.at = 0
    before = office.state.status_list.number
    with at_work(office, shelf) as service:
        issued = service.issue(states(CardState.VALID, CardState.VALID, CardState.LOST))
    numbers = [entry.number("number") for entry in office.entries("status-list.intended")]
    assert numbers == sorted(set(numbers))
    assert issued.status_list.number > before
    assert StatusList.from_bytes(shelf.published["csca-1"]).number == issued.status_list.number


def test_an_export_holds_the_list_and_then_demands_it(office: Any, shelf: MemoryShelf) -> None:
    bare = {file.path: file.content for file in export_trust(office.state)}
    assert b"status.card" not in bare["policy.toml"]
    with at_work(office, shelf) as service:
        der = service.issue(states()).status_list.der
    files = {file.path: file.content for file in export_trust(office.state, status_list=der)}
    assert files["status/csca-1.status"] == der
    assert b'"status.card"' in files["policy.toml"]
    assert b'"status-lists"' in files["policy.toml"]
