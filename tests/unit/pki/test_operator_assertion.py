"""WebAuthn assertions over authorisations: what holds counts as one operator, everything else has its code."""

import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from webauthn import verify_authentication_response
from webauthn.helpers import bytes_to_base64url

from pki.certificates.profile import load_certificate_profile
from pki.errors import PkiError
from pki.keys.algorithms import HashAlgorithm
from pki.keys.software import SoftwareSigner
from pki.keys.webauthn_keys import CoseAlgorithm, check_webauthn_key, verify_webauthn_signature
from pki.services.authorising import accept_authorisation, operators_behind
from pki.services.authority import AuthorityRequest
from pki.services.operator_credentials import (
    CHALLENGE_LIFETIME,
    MAX_CREDENTIALS,
    OperatorCredentials,
)
from pki.services.operator_page import OperatorPage
from pki.services.operators import OperatorService
from pki.services.registration_judging import LibraryRegistrationJudge
from pki.services.service_authority import ServiceAuthorityService
from pki.services.state import EntryKind
from pki.signed.authorisation import BatchAuthorisation, OperatorAssertion
from pki.signed.webauthn import AuthenticatorData, ClientData, encode_base64url
from tests.unit.pki.authenticator import AT, ORIGIN, UP, UV, Authenticator, coordinate

PAGE = OperatorPage.checked(origin=ORIGIN)
REQUEST = AuthorityRequest(
    name="Trial", country="VN", is_test=True, distribution_point="http://pki.example/csca.crl"
)
VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "webauthn" / "w3c_none_es256.json"


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


class Desk:
    """A home whose operators an and lan have keys, and lan an authenticator, too."""

    def __init__(self, service: Any, office: Any) -> None:
        self.service = service
        self.office = office
        self.recorder = service.recorder
        self.people = self.recorder.state.authorisations
        self.operators = OperatorService(
            certification=ServiceAuthorityService(service), recorder=self.recorder
        )
        self.credentials = OperatorCredentials(
            recorder=self.recorder,
            judge=LibraryRegistrationJudge(),
            random_bytes=secrets.token_bytes,
        )
        self.keys = {
            name: ec.generate_private_key(ec.SECP256R1()) for name in ("an", "lan", "binh")
        }
        for name, key in self.keys.items():
            self.operators.enrol(name, key.public_key())
        self.authenticator = Authenticator()
        self.enrol("lan", self.authenticator)

    def challenge(self, name: str = "lan") -> bytes:
        return self.credentials.challenge(name, PAGE).challenge

    def enrol(self, name: str, authenticator: Authenticator) -> None:
        self.credentials.enrol(name, authenticator.register(self.challenge(name)))

    def certificate(self, name: str) -> bytes:
        found = self.people.operators[name].certificate
        assert found is not None
        return bytes(found)

    def terms(self) -> BatchAuthorisation:
        return BatchAuthorisation(
            batch=secrets.token_bytes(16),
            signer_id="ds-1",
            cards=10,
            until=self.office.now + timedelta(hours=1),
        )

    def with_key(self, authorisation: BatchAuthorisation, name: str) -> BatchAuthorisation:
        signer = SoftwareSigner(self.keys[name])
        return authorisation.signed_with(signer, certificate=self.certificate(name))

    def with_assertion(
        self, authorisation: BatchAuthorisation, name: str = "lan", **changes: Any
    ) -> BatchAuthorisation:
        assertion = self.authenticator.answer(
            changes.pop("challenge", authorisation.digest), self.certificate(name), **changes
        )
        return replace(authorisation, signatures=(*authorisation.signatures, assertion))

    def accept(self, authorisation: BatchAuthorisation) -> Any:
        read = BatchAuthorisation.from_bytes(authorisation.to_bytes())
        return accept_authorisation(read, self.recorder)


@pytest.fixture
def desk(memory_office: Any) -> Any:
    with memory_office.open() as service:
        service.create_authority(REQUEST, profile=load_certificate_profile("csca"))
        service.create_signer("ds-1", profile=load_certificate_profile("document-signer"))
        yield Desk(service, memory_office)


def edited(assertion: OperatorAssertion, **changes: Any) -> OperatorAssertion:
    return replace(assertion, **changes)


def test_a_key_and_an_assertion_of_two_people_authorise(desk: Desk) -> None:
    authorisation = desk.with_assertion(desk.with_key(desk.terms(), "an"))
    record = desk.accept(authorisation)
    assert record.operators == ("an", "lan")
    assert record.assertions == {desk.authenticator.credential_id: 1}
    assert desk.people.credentials.credentials[desk.authenticator.credential_id].counter == 1
    # The same file again changes nothing.
    assert desk.accept(authorisation) is record
    assert operators_behind(authorisation, desk.people, now=desk.office.now) == ("an", "lan")


def test_a_key_and_an_assertion_of_one_person_are_one_person(desk: Desk) -> None:
    authorisation = desk.with_assertion(desk.with_key(desk.terms(), "lan"))
    assert code_of(lambda: desk.accept(authorisation)) == "authorisation.same-operator"
    other = Authenticator()
    desk.enrol("lan", other)
    twice = desk.with_assertion(desk.terms())
    more = other.answer(twice.digest, desk.certificate("lan"))
    twice = replace(twice, signatures=(*twice.signatures, more))
    assert code_of(lambda: desk.accept(twice)) == "authorisation.same-operator"
    alone = desk.with_assertion(desk.terms())
    assert code_of(lambda: desk.accept(alone)) == "authorisation.signatures-missing"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"challenge": bytes(32)}, "webauthn.challenge-differs"),
        ({"ceremony": "webauthn.create"}, "webauthn.type-differs"),
        ({"ceremony": "payment.get"}, "webauthn.type-differs"),
        ({"origin": "https://pki.example.evil"}, "webauthn.origin-differs"),
        ({"origin": "https://pki.example:8443"}, "webauthn.origin-differs"),
        ({"origin": "http://pki.example"}, "webauthn.origin-differs"),
        ({"more": {"crossOrigin": True}}, "webauthn.framed"),
        ({"more": {"topOrigin": "https://evil.example"}}, "webauthn.framed"),
        ({"more": {"crossOrigin": 0}}, "webauthn.malformed"),
        ({"rp_id": "evil.example"}, "webauthn.rp-id-differs"),
        ({"flags": UV}, "webauthn.user-absent"),
        ({"flags": UP}, "webauthn.user-unverified"),
        ({"flags": UP | UV | AT}, "webauthn.malformed"),
        ({"flags": UP | UV | 0x02}, "webauthn.malformed"),
        ({"flags": UP | UV | 0x10}, "webauthn.malformed"),
    ],
)  # fmt: skip
def test_what_was_signed_elsewhere_or_by_nobody_is_refused(
    desk: Desk, changes: dict[str, Any], code: str
) -> None:
    authorisation = desk.with_assertion(desk.with_key(desk.terms(), "an"), **changes)
    assert code_of(lambda: desk.accept(authorisation)) == code
    assert desk.people.batches == {}
    assert desk.people.credentials.of("lan")[0].counter == 0


def test_an_assertion_for_one_authorisation_is_none_for_another(desk: Desk) -> None:
    one = desk.with_assertion(desk.with_key(desk.terms(), "an"))
    desk.accept(one)
    other = desk.with_key(desk.terms(), "an")
    replayed = replace(other, signatures=(*other.signatures, one.signatures[1]))
    assert code_of(lambda: desk.accept(replayed)) == "webauthn.challenge-differs"
    more_cards = desk.with_key(replace(one, cards=11, signatures=()), "an")
    more_cards = replace(more_cards, signatures=(*more_cards.signatures, one.signatures[1]))
    assert code_of(lambda: desk.accept(more_cards)) == "authorisation.batch-used"


def test_edited_bytes_do_not_hold(desk: Desk) -> None:
    base = desk.with_key(desk.terms(), "an")
    made = desk.authenticator.answer(base.digest, desk.certificate("lan"))
    spaced = made.client_data.replace(b",", b", ", 1)
    counted = made.authenticator_data[:-1] + b"\x09"
    for changed in (
        edited(made, client_data=spaced),
        edited(made, authenticator_data=counted),
        edited(made, signature=made.signature[:-1] + bytes([made.signature[-1] ^ 1])),
        edited(made, signature=b"\x30\x00"),
    ):
        authorisation = replace(base, signatures=(*base.signatures, changed))
        assert code_of(lambda value=authorisation: desk.accept(value)) == "webauthn.signature-wrong"
    twice = made.client_data.replace(b'{"type"', b'{"type":"webauthn.get","type"')
    authorisation = replace(base, signatures=(*base.signatures, edited(made, client_data=twice)))
    assert code_of(lambda: desk.accept(authorisation)) == "webauthn.malformed"


def test_a_credential_signs_for_its_operator_alone(desk: Desk) -> None:
    base = desk.with_key(desk.terms(), "an")
    of_binh = desk.with_assertion(base, "binh")
    assert code_of(lambda: desk.accept(of_binh)) == "webauthn.credential-of-another"
    stranger = Authenticator().answer(base.digest, desk.certificate("lan"))
    unknown = replace(base, signatures=(*base.signatures, stranger))
    assert code_of(lambda: desk.accept(unknown)) == "webauthn.credential-unknown"
    # The credential was enrolled with another certificate of the same person.
    record = desk.people.credentials.credentials[desk.authenticator.credential_id]
    digest, record.certificate_digest = record.certificate_digest, bytes(32)
    elsewhere = desk.with_assertion(base)
    assert code_of(lambda: desk.accept(elsewhere)) == "webauthn.credential-of-another"
    record.certificate_digest = digest
    # Another credential's id on what this one signed.
    other = Authenticator()
    desk.enrol("lan", other)
    made = desk.authenticator.answer(base.digest, desk.certificate("lan"))
    mixed = replace(
        base, signatures=(*base.signatures, edited(made, credential_id=other.credential_id))
    )
    assert code_of(lambda: desk.accept(mixed)) == "webauthn.signature-wrong"


def test_a_counter_never_goes_back_and_its_record_survives(desk: Desk) -> None:
    first = desk.with_assertion(desk.with_key(desk.terms(), "an"))
    second = desk.with_assertion(desk.with_key(desk.terms(), "an"))
    desk.accept(second)
    assert code_of(lambda: desk.accept(first)) == "webauthn.counter-back"
    desk.authenticator.counter = 1
    copied = desk.with_assertion(desk.with_key(desk.terms(), "an"))
    assert code_of(lambda: desk.accept(copied)) == "webauthn.counter-back"
    desk.authenticator.counter = -1
    not_counting = desk.with_assertion(desk.with_key(desk.terms(), "an"))
    assert code_of(lambda: desk.accept(not_counting)) == "webauthn.counter-back"
    again = desk.office.state.authorisations.credentials.credentials
    assert again[desk.authenticator.credential_id].counter == 2


def test_an_authenticator_that_does_not_count_signs_more_than_once(desk: Desk) -> None:
    for _ in range(2):
        desk.authenticator.counter = -1
        desk.accept(desk.with_assertion(desk.with_key(desk.terms(), "an")))


def test_whoever_left_and_what_was_lost_sign_nothing(desk: Desk) -> None:
    credential_id = desk.authenticator.credential_id
    desk.credentials.revoke("lan", credential_id, reason="lost on the train")
    lost = desk.with_assertion(desk.with_key(desk.terms(), "an"))
    assert code_of(lambda: desk.accept(lost)) == "webauthn.credential-revoked"
    assert (
        code_of(lambda: desk.credentials.revoke("lan", credential_id, reason="again"))
        == "webauthn.credential-revoked"
    )
    # The person still signs with the key of the certificate.
    desk.accept(desk.with_key(desk.with_key(desk.terms(), "an"), "lan"))
    desk.enrol("lan", other := Authenticator())
    desk.operators.revoke("lan", reason="has left")
    desk.authenticator = other
    left = desk.with_assertion(desk.with_key(desk.terms(), "an"))
    assert code_of(lambda: desk.accept(left)) == "operator.revoked"
    assert code_of(lambda: desk.challenge("lan")) == "operator.revoked"


@pytest.mark.parametrize(
    "key",
    [ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)],
    ids=["EDDSA", "RS256"],
)
def test_other_algorithms_that_are_offered_work(desk: Desk, key: Any) -> None:
    desk.authenticator = Authenticator(key=key)
    desk.enrol("binh", desk.authenticator)
    authorisation = desk.with_assertion(desk.with_key(desk.terms(), "an"), "binh")
    assert desk.accept(authorisation).operators == ("an", "binh")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ceremony": "webauthn.get"}, "webauthn.type-differs"),
        ({"origin": "https://evil.example"}, "webauthn.origin-differs"),
        ({"more": {"crossOrigin": True}}, "webauthn.framed"),
        ({"rp_id": "evil.example"}, "webauthn.rp-id-differs"),
        ({"flags": UV | AT}, "webauthn.user-absent"),
        ({"flags": UP | AT}, "webauthn.user-unverified"),
        ({"flags": UP | UV}, "webauthn.malformed"),
        ({"format_name": "none", "statement": {"alg": -7}}, "webauthn.registration-refused"),
        ({"format_name": "packed", "statement": {"alg": -7, "sig": b"0"}}, "webauthn.registration-refused"),
        ({"format_name": "packed", "statement": {"alg": -7, "sig": b"0", "x5c": [b"0"]}}, "webauthn.attestation-refused"),
        ({"format_name": "tpm"}, "webauthn.attestation-refused"),
        ({"format_name": "chalk"}, "webauthn.malformed"),
        ({"cose_key": cbor2.dumps({1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)})}, "webauthn.registration-refused"),
        ({"cose_key": cbor2.dumps({1: 2, 3: -36, -1: 3, -2: bytes(66), -3: bytes(66)})}, "webauthn.registration-refused"),
        ({"cose_key": cbor2.dumps({1: 1, 3: -8, -1: 6, -2: bytes(32)})}, "webauthn.key-unsuitable"),
        ({"cose_key": cbor2.dumps({1: 3, 3: -257, -1: b"\xff" * 128, -2: b"\1\0\1"})}, "webauthn.key-unsuitable"),
    ],
)  # fmt: skip
def test_registrations_that_do_not_hold_are_refused_and_the_challenge_stays(
    desk: Desk, changes: dict[str, Any], code: str
) -> None:
    challenge = desk.challenge()
    other = Authenticator()
    assert (
        code_of(lambda: desk.credentials.enrol("lan", other.register(challenge, **changes))) == code
    )
    desk.credentials.enrol("lan", other.register(challenge))


def test_a_challenge_holds_once_for_an_hour_for_one_operator(desk: Desk) -> None:
    challenge = desk.challenge()
    registration = Authenticator().register(challenge)
    assert (
        code_of(lambda: desk.credentials.enrol("an", registration)) == "webauthn.challenge-unknown"
    )
    invented = Authenticator().register(bytes(32))
    assert code_of(lambda: desk.credentials.enrol("lan", invented)) == "webauthn.challenge-unknown"
    desk.credentials.enrol("lan", registration)
    second = Authenticator().register(challenge)
    assert code_of(lambda: desk.credentials.enrol("lan", second)) == "webauthn.challenge-used"
    late = Authenticator().register(desk.challenge())
    desk.office.now += CHALLENGE_LIFETIME + timedelta(seconds=1)
    assert code_of(lambda: desk.credentials.enrol("lan", late)) == "webauthn.challenge-expired"
    state = desk.office.state.authorisations.credentials
    assert [each.is_used for each in state.challenges.values()] == [True, True, False]


def test_one_authenticator_is_nobody_elses_and_eight_are_enough(desk: Desk) -> None:
    again = desk.authenticator.register(desk.challenge("binh"))
    assert code_of(lambda: desk.credentials.enrol("binh", again)) == "webauthn.credential-exists"
    same_key = Authenticator(key=desk.authenticator.key).register(desk.challenge("binh"))
    assert code_of(lambda: desk.credentials.enrol("binh", same_key)) == "webauthn.credential-exists"
    for _ in range(MAX_CREDENTIALS - 1):
        desk.enrol("lan", Authenticator())
    assert code_of(desk.challenge) == "webauthn.credentials-too-many"
    assert code_of(lambda: desk.credentials.check("huy", b"{}")) == "webauthn.malformed"
    new = Authenticator().register(desk.challenge("huy"))
    assert code_of(lambda: desk.credentials.enrol("huy", new)) == "operator.unknown"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"{}", b"[" * 20_000, b" " * 20_000, b'{"id": "a", "rawId": 5}', b"\xff"],
)
def test_files_that_are_no_registrations_are_refused(desk: Desk, content: bytes) -> None:
    assert code_of(lambda: desk.credentials.enrol("lan", content)) == "webauthn.malformed"


@pytest.mark.parametrize(
    ("origin", "rp_id"),
    [
        ("http://pki.example", None), ("https://pki.example/", None), ("https://PKI.example", None),
        ("https://pki.example:443", None), ("https://a@pki.example", None), ("pki.example", None),
        ("https://pki.example", "example.org"), ("https://pki.example", "example"),
        ("https://pki.example", "ki.example"), ("https://-pki.example", None), ("https://a..b", None),
    ],
)  # fmt: skip
def test_places_where_no_browser_would_sign_are_refused(origin: str, rp_id: str | None) -> None:
    assert (
        code_of(lambda: OperatorPage.checked(origin=origin, rp_id=rp_id))
        == "webauthn.origin-invalid"
    )


def test_a_page_may_answer_for_a_domain_that_it_stands_in() -> None:
    page = OperatorPage.checked(origin="https://sign.pki.example:8443", rp_id="pki.example")
    assert (page.origin, page.rp_id) == ("https://sign.pki.example:8443", "pki.example")
    assert OperatorPage.checked(origin="http://localhost:8080").rp_id == "localhost"


def test_an_assertion_that_we_believe_the_library_believes_too(desk: Desk) -> None:
    authorisation = desk.terms()
    made = desk.authenticator.answer(authorisation.digest, desk.certificate("lan"))
    document = {
        "id": bytes_to_base64url(made.credential_id),
        "rawId": bytes_to_base64url(made.credential_id),
        "type": "public-key",
        "response": {
            "clientDataJSON": bytes_to_base64url(made.client_data),
            "authenticatorData": bytes_to_base64url(made.authenticator_data),
            "signature": bytes_to_base64url(made.signature),
        },
    }
    verified = verify_authentication_response(
        credential=document,
        expected_challenge=authorisation.digest,
        expected_rp_id=PAGE.rp_id,
        expected_origin=PAGE.origin,
        credential_public_key=desk.authenticator.cose_key(),
        credential_current_sign_count=0,
        require_user_verification=True,
    )
    assert verified.new_sign_count == 1


def test_the_vector_of_the_standard_is_read_and_its_signature_holds() -> None:
    vector = {
        name: bytes.fromhex(value)
        for name, value in json.loads(VECTORS.read_text(encoding="utf-8"))["values"].items()
    }
    said = ClientData.from_bytes(vector["assertion_client_data"])
    assert (said.ceremony, said.challenge) == ("webauthn.get", vector["assertion_challenge"])
    assert (said.origin, said.is_framed) == ("https://example.org", False)
    data = AuthenticatorData.of_assertion(vector["assertion_authenticator_data"])
    assert data.rp_id_hash == HashAlgorithm.SHA256.digest(b"example.org")
    # Nobody was verified in this one: the desk would refuse it for that.
    assert (data.is_user_present, data.is_user_verified, data.counter) == (True, False, 0)
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=b"\1", info=b"none.ES256")
    private_key = derived.derive(b"WebAuthn test vectors")
    assert private_key == vector["credential_private_key"]
    key = ec.derive_private_key(int.from_bytes(private_key, "big"), ec.SECP256R1()).public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    trusted = check_webauthn_key(encoded, CoseAlgorithm.ES256)
    client_data_hash = HashAlgorithm.SHA256.digest(vector["assertion_client_data"])
    message = vector["assertion_authenticator_data"] + client_data_hash
    signature = vector["assertion_signature"]
    assert verify_webauthn_signature(trusted, message=message, signature=signature)
    for position in range(len(message)):
        altered = bytearray(message)
        altered[position] ^= 1
        assert not verify_webauthn_signature(trusted, message=bytes(altered), signature=signature)
    registered = ClientData.from_bytes(vector["registration_client_data"])
    assert registered.challenge == vector["registration_challenge"]
    # The attestation object has the key of the private key.
    assert coordinate(key.public_numbers().x) in vector["attestation_object"]
    assert vector["credential_id"] in vector["attestation_object"]


def test_a_desk_refuses_the_standards_vector_for_nobody_was_verified(desk: Desk) -> None:
    vector = {
        name: bytes.fromhex(value)
        for name, value in json.loads(VECTORS.read_text(encoding="utf-8"))["values"].items()
    }
    registration = json.dumps(
        {
            "id": encode_base64url(vector["credential_id"]),
            "rawId": encode_base64url(vector["credential_id"]),
            "type": "public-key",
            "response": {
                "clientDataJSON": encode_base64url(vector["registration_client_data"]),
                "attestationObject": encode_base64url(vector["attestation_object"]),
            },
        }
    ).encode()
    desk.recorder.record(
        EntryKind.CREDENTIAL_CHALLENGED,
        operator="lan",
        challenge=vector["registration_challenge"].hex(),
        origin="https://example.org",
        rp_id="example.org",
        expires=f"{desk.office.now + CHALLENGE_LIFETIME:%Y-%m-%dT%H:%M:%SZ}",
    )
    assert (
        code_of(lambda: desk.credentials.enrol("lan", registration)) == "webauthn.user-unverified"
    )


def test_points_of_small_order_are_no_keys() -> None:
    field_size = 2**255 - 19
    d = -121665 * pow(121666, -1, field_size) % field_size
    prefix = bytes.fromhex("302a300506032b6570032100")
    for text in (
        "00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "01" + "00" * 30 + "80",
    ):  # fmt: skip
        y = int.from_bytes(bytes.fromhex(text), "little") & (2**255 - 1)
        if y not in {0, 1, field_size - 1, field_size + 1}:
            # Of order eight: d y^4 + 2 y^2 - 1 = 0 is what doubling to x = 0 or y = 0 comes to.
            assert (d * pow(y, 4, field_size) + 2 * y * y - 1) % field_size == 0
        encoded = prefix + bytes.fromhex(text)
        assert (
            code_of(lambda value=encoded: check_webauthn_key(value, CoseAlgorithm.EDDSA))
            == "webauthn.key-unsuitable"
        )
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    check_webauthn_key(encoded, CoseAlgorithm.EDDSA)
    assert (
        code_of(lambda: check_webauthn_key(encoded, CoseAlgorithm.ES256))
        == "webauthn.key-unsuitable"
    )
