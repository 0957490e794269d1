"""Batch authorisations: one encoding, two different operators, judged before anything counts against them."""

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import PkiError
from pki.home import Home
from pki.keys.software import SoftwareKeystore, SoftwareSigner
from pki.record.journal import Journal, Record
from pki.services.authorising import accept_authorisation, check_batch
from pki.services.authority import AuthorityService
from pki.services.operators import OperatorService
from pki.services.recorder import Recorder
from pki.services.service_authority import ServiceAuthorityService
from pki.services.state import EntryKind, PkiState
from pki.signed.authorisation import (
    AuthorisationError,
    BatchAuthorisation,
    OperatorAssertion,
    OperatorSignature,
)

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

OCTETS = st.binary(min_size=1, max_size=40)
TERMS = st.builds(
    BatchAuthorisation,
    batch=st.binary(min_size=16, max_size=16),
    signer_id=st.from_regex(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?", fullmatch=True),
    cards=st.integers(1, 100_000),
    until=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - the zone is put on
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    ),
    signatures=st.lists(
        st.builds(OperatorSignature, certificate=OCTETS, signature=OCTETS)
        | st.builds(
            OperatorAssertion,
            certificate=OCTETS,
            credential_id=OCTETS,
            authenticator_data=OCTETS,
            client_data=OCTETS,
            signature=OCTETS,
        ),
        max_size=4,
    ).map(tuple),
)


class House:
    """A home's journal and keystore in memory and on disk, with a clock."""

    def __init__(self, directory: Path, authority: Any) -> None:
        self.now = NOW
        self.state = PkiState()
        self.stack = ExitStack()
        self.path = directory / "journal.jsonl"
        journal = self.stack.enter_context(Journal.open(self.path, replay=self.state.apply))
        self.recorder = Recorder(journal=journal, state=self.state, now=lambda: self.now)
        self.recorder.record(
            EntryKind.AUTHORITY_INTENDED,
            key="csca-1", name="Trial", serial="1", distribution_point="http://pki.example/c",
        )  # fmt: skip
        self.recorder.record(
            EntryKind.AUTHORITY_ISSUED, key="csca-1", certificate=authority.certificate.hex()
        )
        for signer_id in ("ds-1", "ds-2"):
            self.recorder.record(
                EntryKind.SIGNER_INTENDED, signer=signer_id, serial="ff", digest=""
            )
            self.recorder.record(
                EntryKind.SIGNER_ISSUED, signer=signer_id, certificate=authority.issue().hex()
            )
        self.keystore = SoftwareKeystore.create(directory / "keystore", passphrase=b"x")
        self.service = OperatorService(
            certification=ServiceAuthorityService(
                AuthorityService(
                    keystore=self.keystore,
                    recorder=self.recorder,
                    publication=Home(directory / "home"),
                    random_bytes=secrets.token_bytes,
                )
            ),
            recorder=self.recorder,
        )
        self.keys: dict[str, SoftwareSigner] = {}

    def enrol(self, name: str) -> None:
        self.keys[name] = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
        self.service.enrol(name, self.keys[name].public_key)

    def terms(self, **changes: Any) -> BatchAuthorisation:
        return replace(
            BatchAuthorisation(
                batch=bytes(range(16)), signer_id="ds-1", cards=10, until=self.now + HOUR
            ),
            **changes,
        )

    def sign(self, authorisation: BatchAuthorisation, *names: str) -> BatchAuthorisation:
        for name in names:
            certificate = self.state.authorisations.operators[name].certificate
            assert certificate is not None
            authorisation = authorisation.signed_with(self.keys[name], certificate=certificate)
        return authorisation

    def accept(self, authorisation: BatchAuthorisation) -> Any:
        return accept_authorisation(authorisation, self.recorder)

    def check(self, **changes: Any) -> None:
        terms: dict[str, Any] = {"signer_id": "ds-1", "count": 1, "now": self.now} | changes
        batch = terms.pop("batch", bytes(range(16)))
        check_batch(self.state.authorisations, batch, **terms)


@pytest.fixture
def house(tmp_path: Path, authority: Any) -> Any:
    house = House(tmp_path, authority)
    with house.stack:
        for name in ("an", "binh"):
            house.enrol(name)
        yield house


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


@given(TERMS)
def test_what_is_written_is_read_and_written_the_same(value: BatchAuthorisation) -> None:
    content = value.to_bytes()
    assert BatchAuthorisation.from_bytes(content) == value
    assert BatchAuthorisation.from_bytes(content).to_bytes() == content


@given(st.binary(max_size=300))
def test_any_bytes_are_an_authorisation_or_a_data_error(content: bytes) -> None:
    with pytest.raises(AuthorisationError):
        BatchAuthorisation.from_bytes(content)


@given(TERMS, st.data())
def test_an_altered_file_is_refused_or_has_other_terms(
    value: BatchAuthorisation, data: st.DataObject
) -> None:
    content = bytearray(value.to_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    try:
        found = BatchAuthorisation.from_bytes(bytes(content))
    except AuthorisationError:
        return
    assert found != value


@pytest.mark.parametrize(
    "altered",
    [
        lambda text: text.replace('"cards": 10', '"cards": 10.0'),
        lambda text: text.replace('"cards": 10', '"cards": true'),
        lambda text: text.replace('"cards": 10', '"cards": 0'),
        lambda text: text.replace('"cards": 10', '"cards": 100001'),
        lambda text: text.replace('"cards": 10', '"cards": 10,\n "cards": 10'),
        lambda text: text.replace('"format": 1', '"format": 2'),
        lambda text: text.replace('"until"', '"til"'),
        lambda text: text.replace("Z", "+00:00"),
        lambda text: text.replace("000102", "00 0102"),
        lambda text: text.replace("0a0b", "0A0B"),
        lambda text: text + " ",
        lambda text: text.replace(
            "[]", '[{"kind": "password", "certificate": "00", "signature": "00"}]'
        ),
        lambda text: text.replace("[]", "[" * 20_000),
    ],
)
def test_another_encoding_is_refused(altered: Callable[[str], str]) -> None:
    value = BatchAuthorisation(batch=bytes(range(16)), signer_id="ds-1", cards=10, until=NOW)
    text = altered(value.to_bytes().decode())
    assert text.encode() != value.to_bytes()
    assert (
        code_of(lambda: BatchAuthorisation.from_bytes(text.encode())) == "authorisation.malformed"
    )


@given(TERMS, TERMS)
def test_the_digest_names_the_terms_whoever_signed(
    one: BatchAuthorisation, other: BatchAuthorisation
) -> None:
    assert replace(one, signatures=other.signatures).digest == one.digest
    if replace(one, signatures=()) != replace(other, signatures=()):
        assert one.digest != other.digest


def test_two_operators_authorise_and_the_journal_says_so(house: House) -> None:
    authorisation = house.sign(house.terms(), "an", "binh")
    record = house.accept(authorisation)
    assert (record.cards, record.signed, record.operators) == (10, 0, ("an", "binh"))
    assert record.digest == authorisation.digest
    house.check(count=10)
    # Presenting it again changes nothing, and is recorded once.
    before = house.path.read_bytes()
    assert house.accept(authorisation) is record
    assert house.path.read_bytes() == before


def test_what_was_accepted_is_known_after_a_restart(house: House) -> None:
    house.accept(house.sign(house.terms(), "binh", "an"))
    state = PkiState()
    house.stack.close()
    Journal.open(house.path, replay=state.apply).close()
    assert state.authorisations.batches == house.state.authorisations.batches
    assert state.authorisations.operators == house.state.authorisations.operators


@pytest.mark.parametrize(("names", "code"), [
    ((), "authorisation.signatures-missing"),
    (("an",), "authorisation.signatures-missing"),
    (("an", "an"), "authorisation.same-operator"),
    (("an", "binh", "an"), "authorisation.same-operator"),
])  # fmt: skip
def test_one_operator_is_not_two(house: House, names: tuple[str, ...], code: str) -> None:
    assert code_of(lambda: house.accept(house.sign(house.terms(), *names))) == code
    assert house.state.authorisations.batches == {}


def test_terms_that_were_changed_after_signing_are_refused(house: House) -> None:
    signed = house.sign(house.terms(), "an", "binh")
    for changed in (
        replace(signed, cards=11),
        replace(signed, until=signed.until + HOUR),
        replace(signed, signer_id="ds-2"),
        replace(signed, batch=bytes(16)),
    ):
        action = lambda changed=changed: house.accept(changed)  # noqa: E731 - one of many alike
        assert code_of(action) == "authorisation.signature-wrong"


def test_a_signature_of_another_key_under_an_operators_certificate_is_refused(
    house: House,
) -> None:
    signed = house.sign(house.terms(), "an")
    certificate = house.state.authorisations.operators["binh"].certificate
    assert certificate is not None
    forged = signed.signed_with(house.keys["an"], certificate=certificate)
    assert code_of(lambda: house.accept(forged)) == "authorisation.signature-wrong"


def test_somebody_who_is_not_enrolled_authorises_nothing(house: House, authority: Any) -> None:
    stranger = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
    signed = house.sign(house.terms(), "an").signed_with(stranger, certificate=authority.issue())
    assert code_of(lambda: house.accept(signed)) == "operator.unknown"


def test_a_revoked_operator_authorises_nothing_and_stops_what_was_authorised(house: House) -> None:
    house.enrol("chi")
    accepted = house.sign(house.terms(), "an", "chi")
    house.accept(accepted)
    house.service.revoke("chi", reason="has left")
    assert code_of(house.check) == "operator.revoked"
    other = house.sign(house.terms(batch=bytes(16)), "an", "chi")
    assert code_of(lambda: house.accept(other)) == "operator.revoked"
    assert code_of(lambda: house.service.revoke("chi", reason="again")) == "operator.revoked"
    assert code_of(lambda: house.service.revoke("nobody", reason="x")) == "operator.unknown"


def test_an_operators_certificate_ends_after_a_year(house: House) -> None:
    house.now += timedelta(days=366)
    signed = house.sign(house.terms(), "an", "binh")
    assert code_of(lambda: house.accept(signed)) == "operator.expired"


def test_an_authorisation_that_ended_is_refused_and_signs_nothing_more(house: House) -> None:
    signed = house.sign(house.terms(), "an", "binh")
    house.accept(signed)
    house.now += HOUR
    house.check()
    house.now += timedelta(seconds=1)
    assert code_of(house.check) == "authorisation.expired"
    assert code_of(lambda: house.accept(signed)) == "authorisation.expired"


def test_an_authorisation_for_longer_than_a_key_signs_is_refused(house: House) -> None:
    signed = house.sign(house.terms(until=NOW + timedelta(days=94)), "an", "binh")
    assert code_of(lambda: house.accept(signed)) == "authorisation.too-long"


def test_a_batch_has_one_set_of_terms(house: House) -> None:
    house.accept(house.sign(house.terms(), "an", "binh"))
    other = house.sign(house.terms(cards=20), "an", "binh")
    assert code_of(lambda: house.accept(other)) == "authorisation.batch-used"


def test_a_batch_is_for_its_signer_and_its_number_of_cards(house: House) -> None:
    house.accept(house.sign(house.terms(), "an", "binh"))
    assert code_of(lambda: house.check(batch=bytes(16))) == "authorisation.unknown"
    assert code_of(lambda: house.check(signer_id="ds-2")) == "authorisation.other-signer"
    assert code_of(lambda: house.check(count=11)) == "authorisation.overdrawn"
    unknown = house.sign(house.terms(batch=bytes(16), signer_id="ds-9"), "an", "binh")
    assert code_of(lambda: house.accept(unknown)) == "signer.unknown"


def test_a_name_and_a_key_are_enrolled_once(house: House) -> None:
    key = house.keys["an"].public_key
    assert code_of(lambda: house.enrol("an")) == "operator.exists"
    assert code_of(lambda: house.service.enrol("chi", key)) == "operator.key-used"
    assert code_of(lambda: house.enrol("x" * 33)) == "operator.name-invalid"
    assert code_of(lambda: house.enrol("a,b")) == "keystore.key-id-invalid"


def test_an_entry_that_names_no_batch_is_damage(house: House) -> None:
    entry = Record(
        kind="security-object.signed",
        time=NOW,
        fields={"signer": "ds-1", "reference": "00" * 16, "batch": "11" * 16},
    )
    house.stack.close()
    state = PkiState()
    with Journal.open(house.path, replay=state.apply) as journal:
        (recorded,) = journal.append_many([entry])
        assert code_of(lambda: state.apply(recorded)) == "record.damaged"
