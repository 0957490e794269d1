"""Keys of chips at the signer's desk: judged at the moment, recorded before anything is derived, given away once."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pki.certificates.profile import load_certificate_profile
from pki.errors import PkiError
from pki.keys.derivation import Derivation
from pki.keys.software import SoftwareSigner
from pki.record.journal import Journal
from pki.services.authority import AuthorityRequest
from pki.services.recorder import Recorder
from pki.services.service_authority import ServiceAuthorityService, ServiceRequest
from pki.services.state import EntryKind, PkiState
from pki.services.wrapping import WrappingRequest
from pki.signed.certification_request import encode_certification_request
from pki.signed.chip_keys import SealedChipKeys
from pki.signer_service.desk import Desk, Order
from pki.signer_service.frames import ProtocolError
from pki.signer_service.protocol import WrapRequest, read_request

BATCH = bytes(range(16))
KEY = ec.generate_private_key(ec.SECP256R1())
SERIALS = [bytes(9) + bytes((number,)) for number in range(1, 6)]


class Keys:
    """Derives nothing but remembers what it was asked, and how much was on record then."""

    def __init__(self, entries: Callable[[], int]) -> None:
        self._entries = entries
        self.jobs: list[list[Derivation]] = []
        self.recorded_before: list[int] = []

    def submit(self, key_id: str, messages: Sequence[bytes]) -> None:
        raise AssertionError(key_id, messages)

    def submit_derivations(self, derivations: Sequence[Derivation]) -> None:
        self.recorded_before.append(self._entries())
        self.jobs.append(list(derivations))

    def collect(self) -> list[bytes]:
        return [bytes((number % 251,)) * 16 for number, _ in enumerate(self.jobs.pop(0))]


@pytest.fixture
def office(memory_office: Any) -> Any:
    """With two stations, an authorisation for three chips, and two versions of our own master key."""
    with memory_office.open() as service:
        service.create_authority(
            AuthorityRequest(
                name="Trial", country="VN", is_test=True,
                distribution_point="http://pki.example/csca-1.crl",
            ),
            profile=load_certificate_profile("csca"),
        )  # fmt: skip
        services = ServiceAuthorityService(service)
        services.create_root(profile=load_certificate_profile("service-authority"))
        request = encode_certification_request(SoftwareSigner(KEY), common_name="Station")
        services.issue(
            ServiceRequest(
                service_id="station-1", common_name="Station 1", certification_request=request
            ),
            profile=load_certificate_profile("station"),
        )
        recorder = service.recorder
        for name in ("an", "binh"):
            recorder.record(EntryKind.OPERATOR_INTENDED, operator=name, serial="1", digest="")
        until = memory_office.now + timedelta(days=700)
        recorder.record(
            EntryKind.AUTHORISATION_ACCEPTED, batch=BATCH.hex(), digest="00", signer="ds-1",
            cards=1, chips=3, until=f"{until:%Y-%m-%dT%H:%M:%SZ}", operators="an,binh",
        )  # fmt: skip
        for version in (1, 2):
            recorder.record(
                EntryKind.MASTER_KEY_INTENDED, key=f"personalisation-{version}",
                master="personalisation", version=version, origin="generated",
            )  # fmt: skip
            recorder.record(
                EntryKind.MASTER_KEY_CREATED,
                key=f"personalisation-{version}",
                check_value="0102030405",
            )
    return memory_office


class Room:
    """A desk in a process of its own over the office's journal."""

    def __init__(self, office: Any, *, before: int = 0, after: int = 0) -> None:
        self.office = office
        self.state = PkiState()
        self.journal = Journal.open(office.journal, replay=self.state.apply)
        self.at = {"before": before, "after": after}
        self.keys = Keys(lambda: len(office.entries("chip-keys.wrapped")))
        self.recorder = Recorder(journal=self, state=self.state, now=lambda: office.now)
        self.desk = Desk(recorder=self.recorder, signers={}, keys=self.keys)

    def append_many(self, records: Any) -> Any:
        if self.at["before"]:
            raise KeyboardInterrupt
        entries = self.journal.append_many(records)
        if self.at["after"]:
            raise KeyboardInterrupt
        return entries

    def ask(self, *groups: Sequence[bytes]) -> list[str | SealedChipKeys]:
        """Have groups of chips wrapped that were asked for at the same time."""
        certificate = self.state.services["station-1"].certificate
        assert certificate is not None
        orders = [
            Order(
                request=WrapRequest(
                    wrapping=WrappingRequest(batch=BATCH, station=certificate, serials=group)
                )
            )
            for group in groups
        ]
        self.desk.record(orders)
        while self.desk.is_working:
            self.desk.collect()
        answers: list[str | SealedChipKeys] = []
        for order in orders:
            assert order.answer is not None
            answers.append(
                order.answer.code
                if isinstance(order.answer, PkiError)
                else SealedChipKeys.from_bytes(order.answer[0])
            )
        return answers


@pytest.fixture
def make_room(office: Any) -> Any:
    opened: list[Room] = []

    def make(**crash: int) -> Room:
        for each in opened:
            each.journal.close()
        opened.append(Room(office, **crash))
        return opened[-1]

    yield make
    for each in opened:
        each.journal.close()


def test_what_is_given_away_is_on_record_before_a_key_is_derived(make_room: Any) -> None:
    room = make_room()
    (sealed,) = room.ask(SERIALS[:2])
    assert room.keys.recorded_before == [1]
    terms = sealed.terms
    assert (terms.batch, terms.chips) == (BATCH, 2)
    assert (terms.key_versions, terms.current_version) == ((0x30, 0x31), 0x31)
    keys = sealed.open(lambda sender: KEY.exchange(ec.ECDH(), sender), curve=KEY.curve)
    assert list(keys) == SERIALS[:2]
    # Each key is in its own place: twelve derivations, twelve different answers.
    found = [
        key for sets in keys.values() for each in sets for key in (each.enc, each.mac, each.dek)
    ]
    assert found == [bytes((number,)) * 16 for number in range(12)]
    # The station's certificate ends before the authorisation.
    assert terms.not_after < room.office.now + timedelta(days=400)


def test_orders_of_one_moment_count_against_each_other(make_room: Any) -> None:
    room = make_room()
    answers = room.ask(SERIALS[:1], SERIALS[:1], SERIALS[1:4], SERIALS[1:3], SERIALS[3:])
    assert answers[1:3] == ["chip-keys.chip-repeated", "authorisation.overdrawn"]
    assert answers[4] == "authorisation.overdrawn"
    assert [isinstance(each, SealedChipKeys) for each in answers] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert len(room.office.entries("chip-keys.wrapped")) == 2


@pytest.mark.parametrize(
    ("crash", "again"), [("before", "sealed"), ("after", "chip-keys.chip-repeated")]
)
def test_a_kill_at_the_journal_derives_nothing_and_counts_what_is_on_record(
    make_room: Any, crash: str, again: str
) -> None:
    room = make_room(**{crash: 1})
    with pytest.raises(KeyboardInterrupt):
        room.ask(SERIALS[:2])
    assert room.keys.jobs == []
    assert room.keys.recorded_before == []
    (answer,) = make_room().ask(SERIALS[:2])
    assert ("sealed" if isinstance(answer, SealedChipKeys) else answer) == again


def test_everything_is_judged_at_the_moment(make_room: Any) -> None:
    room = make_room()
    now = room.office.now
    room.office.now = now + timedelta(days=500)
    assert room.ask(SERIALS[:1]) == ["station.expired"]
    room.office.now = now + timedelta(days=701)
    assert room.ask(SERIALS[:1]) == ["authorisation.expired"]
    room.office.now = now
    for kind, fields, code in (
        (
            EntryKind.MASTER_KEY_RETIREMENT_INTENDED,
            {"key": "personalisation-1", "reason": "x"},
            None,
        ),
        (
            EntryKind.SERVICE_REVOKED,
            {"service": "station-1", "reason": "stolen"},
            "station.revoked",
        ),
        (EntryKind.OPERATOR_REVOKED, {"operator": "an", "reason": "left"}, "operator.revoked"),
    ):
        room.recorder.record(kind, **fields)
        (answer,) = room.ask(SERIALS[:1])
        if code is None:
            assert isinstance(answer, SealedChipKeys)
            assert answer.terms.key_versions == (0x31,)
        else:
            assert answer == code


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": "00"},
        {"station": "zz"},
        {"chips": []},
        {"chips": ["00" * 9]},
        {"chips": ["AA" * 10]},
        {"chips": ["00" * 10] * 501},
        {"chips": "00" * 10},
        {"transport": 0},
        {"transport": True},
        {"transport": "1"},
        {"extra": 1},
    ],
)
def test_a_request_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    request = WrapRequest(
        wrapping=WrappingRequest(batch=BATCH, station=b"\x30\x00", serials=SERIALS, transport=1)
    )
    assert read_request(request.to_bytes()) == request
    content = json.dumps(json.loads(request.to_bytes()) | changes).encode()
    with pytest.raises(ProtocolError):
        read_request(content)
