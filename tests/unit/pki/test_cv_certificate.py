"""CV certificates and requests as bytes: what is accepted encodes to the same bytes, all else is a data error."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from card_layout import der, tlv
from card_layout.curves import NamedCurve
from card_layout.tlv import Tlv
from pki.card_verifiable.authorisation import (
    FILE_RIGHTS_OID,
    CertificateExtension,
    FileRights,
    HolderAuthorisation,
    Role,
    TerminalType,
    read_extensions,
    write_extensions,
)
from pki.card_verifiable.certificate import CertificateBody, CvCertificate, read_date, write_date
from pki.card_verifiable.public_key import CvPublicKey, sign_plainly, verify_plain_signature
from pki.card_verifiable.references import HolderReference
from pki.card_verifiable.request import AuthenticatedRequest, CertificateRequest, read_request
from pki.card_verifiable.structure import MAX_ENCODED_BYTES
from pki.errors import PkiDataError, PkiError, PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm
from pki.keys.software import SoftwareSigner

CVCA = HolderReference(country="VN", mnemonic="MEMBER", sequence_number="00001")
GATE = HolderReference(country="VN", mnemonic="GATE1", sequence_number="00001")
OTHER_EXTENSION = CertificateExtension(oid="1.2.3", objects=(Tlv(0x80, bytes(32)),))
SIGNERS = {
    curve: SoftwareSigner(ec.generate_private_key(curve.to_cryptography())) for curve in NamedCurve
}

references = st.builds(
    HolderReference,
    country=st.text("ABCXYZ", min_size=2, max_size=2),
    mnemonic=st.text(
        st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]),
        min_size=1,
        max_size=9,
    ),
    sequence_number=st.text("0123456789ABYZ", min_size=5, max_size=5),
)
file_rights = st.builds(FileRights.of, st.frozensets(st.integers(1, 16)))
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))


@st.composite
def authorisations(draw: st.DrawFn, role: Role) -> HolderAuthorisation:
    terminal_type = draw(st.sampled_from(TerminalType))
    bits = draw(st.integers(0, (1 << terminal_type.access_bit_count) - 1))
    return HolderAuthorisation(terminal_type=terminal_type, role=role, access_bits=bits)


@st.composite
def bodies(draw: st.DrawFn) -> CertificateBody:
    role = draw(st.sampled_from(Role))
    holder = draw(references)
    is_root = role is Role.CVCA and draw(st.booleans())
    authority = holder if is_root else draw(references.filter(lambda item: item != holder))
    first, last = sorted((draw(days), draw(days)))
    signer = SIGNERS[draw(st.sampled_from(NamedCurve))]
    extensions = [CertificateExtension.granting(draw(file_rights)), OTHER_EXTENSION]
    return CertificateBody(
        authority_reference=authority,
        public_key=CvPublicKey.of(signer, explicit=role is Role.CVCA),
        holder_reference=holder,
        authorisation=draw(authorisations(role)),
        effective_date=first,
        expiration_date=last,
        extensions=tuple(extensions[: draw(st.integers(0, 2))]),
    )


certificates = st.builds(
    CvCertificate, body=bodies(), signature=st.binary(min_size=1, max_size=140)
)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def root_body(curve: NamedCurve = NamedCurve.SECP256R1) -> CertificateBody:
    return CertificateBody(
        authority_reference=CVCA,
        public_key=CvPublicKey.of(SIGNERS[curve], explicit=True),
        holder_reference=CVCA,
        authorisation=HolderAuthorisation(
            terminal_type=TerminalType.INSPECTION_SYSTEM, role=Role.CVCA
        ),
        effective_date=date(2026, 11, 21),
        expiration_date=date(2029, 11, 20),
        extensions=(CertificateExtension.granting(FileRights.of([13])),),
    )


def root(curve: NamedCurve = NamedCurve.SECP256R1) -> CvCertificate:
    body = root_body(curve)
    return CvCertificate(body=body, signature=sign_plainly(SIGNERS[curve], body.to_bytes()))


def rebuilt(replace: Callable[[list[Tlv]], list[Tlv]]) -> bytes:
    """A root certificate of which the body's objects were changed; the signature no longer matters."""
    certificate = root()
    objects = replace(list(tlv.parse(certificate.body.to_bytes()).children()))
    body = tlv.encode(0x7F4E, tlv.concatenate(objects))
    return tlv.encode(0x7F21, body + tlv.encode(0x5F37, certificate.signature))


def with_value(tag: int, value: bytes) -> bytes:
    return rebuilt(lambda items: [Tlv(tag, value) if item.tag == tag else item for item in items])


@given(certificates)
def test_every_certificate_reads_back_as_it_was(certificate: CvCertificate) -> None:
    encoded = certificate.to_bytes()
    found = CvCertificate.from_bytes(encoded)
    assert found == certificate
    assert found.to_bytes() == encoded


@given(st.binary(max_size=300))
def test_any_bytes_are_a_certificate_or_a_data_error(data: bytes) -> None:
    for read in (CvCertificate.from_bytes, read_request):
        try:
            accepted = read(data)
        except PkiDataError:
            continue
        assert accepted.to_bytes() == data


@given(certificates, st.data())
def test_an_altered_certificate_is_itself_again_or_a_data_error(
    certificate: CvCertificate, data: st.DataObject
) -> None:
    encoded = bytearray(certificate.to_bytes())
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= data.draw(st.integers(1, 255))
    try:
        found = CvCertificate.from_bytes(bytes(encoded))
    except PkiDataError:
        return
    assert found.to_bytes() == bytes(encoded)
    assert found != certificate


@pytest.mark.parametrize("curve", NamedCurve)
def test_keys_of_every_curve_sign_and_verify_plainly(curve: NamedCurve) -> None:
    certificate = root(curve)
    found = CvCertificate.from_bytes(certificate.to_bytes())
    assert found.body.public_key.curve is curve
    assert len(found.signature) == 2 * ((curve.n.bit_length() + 7) // 8)
    verify_plain_signature(
        found.body.explicit_key,
        found.body.public_key.algorithm,
        signature=found.signature,
        message=found.body.to_bytes(),
        name="root",
    )


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_a_signature_of_another_length_is_no_signature(length: int) -> None:
    key = root().body.explicit_key
    action = lambda: verify_plain_signature(  # noqa: E731 - one of many alike
        key, SignatureAlgorithm.ECDSA_SHA256, signature=bytes(length), message=b"", name="it"
    )
    assert code_of(action) == "cv-certificate.signature-invalid"


@pytest.mark.parametrize("number", [0, NamedCurve.SECP256R1.n])
def test_numbers_outside_the_group_are_no_signature(number: int) -> None:
    key = root().body.explicit_key
    for r, s in ((number, 1), (1, number)):
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        action = lambda signature=signature: verify_plain_signature(  # noqa: E731 - the same
            key, SignatureAlgorithm.ECDSA_SHA256, signature=signature, message=b"", name="it"
        )
        assert code_of(action) == "cv-certificate.signature-invalid"


def key_value(oid: str, *objects: Tlv) -> bytes:
    return tlv.concatenate((Tlv(0x06, der.encode_object_identifier(oid)), *objects))


RSA_KEY = (Tlv(0x81, b"\x80" + bytes(127)), Tlv(0x82, b"\x01\x00\x01"))
POINT = Tlv(0x86, root_body().public_key.point)


@pytest.mark.parametrize(
    ("oid", "objects"),
    [
        ("0.4.0.127.0.7.2.2.2.1.2", RSA_KEY),  # RSA v1.5, SHA-256
        ("0.4.0.127.0.7.2.2.2.1.4", RSA_KEY),  # RSA-PSS, SHA-256
        ("0.4.0.127.0.7.2.2.2.2.1", (POINT,)),  # ECDSA, SHA-1
        ("0.4.0.127.0.7.2.2.2.2.2", (POINT,)),  # ECDSA, SHA-224
        ("1.2.840.10045.2.1", (POINT,)),
    ],
)
def test_rsa_and_weak_hashes_are_not_allowed(oid: str, objects: tuple[Tlv, ...]) -> None:
    encoded = with_value(0x7F49, key_value(oid, *objects))
    with pytest.raises(PkiDataError, match="expected ECDSA") as caught:
        CvCertificate.from_bytes(encoded)
    assert caught.value.code == "cv-certificate.algorithm-not-allowed"
    assert ("RSA" in str(caught.value)) == (objects is RSA_KEY)


@pytest.mark.parametrize("curve", NamedCurve)
@pytest.mark.parametrize("tag", [0x81, 0x82, 0x83, 0x84, 0x85, 0x87])
def test_explicit_parameters_equal_a_named_curve_exactly(curve: NamedCurve, tag: int) -> None:
    value = root_body(curve).public_key.to_value()
    objects = list(tlv.parse_all(value))
    index = next(index for index, item in enumerate(objects) if item.tag == tag)
    changed = bytearray(objects[index].value)
    changed[-1] ^= 1
    objects[index] = Tlv(tag, bytes(changed))
    action = lambda: CvPublicKey.from_value(tlv.concatenate(objects))  # noqa: E731 - one of many alike
    assert code_of(action) == "cv-certificate.curve-not-allowed"
    objects[index] = Tlv(tag, b"\x00" + objects[index].value)
    assert code_of(action) == "cv-certificate.curve-not-allowed"


def test_a_point_off_its_curve_is_refused_at_once() -> None:
    value = bytearray(root_body().public_key.to_value())
    position = bytes(value).index(POINT.value) + len(POINT.value) - 1
    value[position] ^= 1
    assert code_of(lambda: CvPublicKey.from_value(bytes(value))) == "cv-certificate.malformed"


@pytest.mark.parametrize(
    "objects",
    [
        (),
        (Tlv(0x86, b""),),
        (Tlv(0x86, b"\x02" + bytes(32)),),
        (Tlv(0x86, b"\x04" + bytes(65)),),
        (POINT, POINT),
        (Tlv(0x81, b"\x01"), POINT),
        (*tlv.parse_all(root_body().public_key.to_value())[1:-1],),  # no cofactor
    ],
)
def test_a_key_that_is_neither_whole_nor_inherited_is_malformed(objects: tuple[Tlv, ...]) -> None:
    value = key_value("0.4.0.127.0.7.2.2.2.2.3", *objects)
    assert code_of(lambda: CvPublicKey.from_value(value)) == "cv-certificate.malformed"


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(root().to_bytes()[:-1], id="cut"),
        pytest.param(root().to_bytes() + b"\x00", id="bytes behind"),
        pytest.param(root().body.to_bytes(), id="body alone"),
        pytest.param(bytes(MAX_ENCODED_BYTES + 1), id="too long"),
        pytest.param(with_value(0x5F29, b"\x01"), id="another version"),
        pytest.param(with_value(0x5F29, b""), id="no version"),
        pytest.param(with_value(0x42, b"VNX0001"), id="short reference"),
        pytest.param(with_value(0x5F20, b"VNMEMBERMEM000001"), id="long reference"),
        pytest.param(with_value(0x42, b"vnMEMBER00001"), id="small letters"),
        pytest.param(with_value(0x42, b"VNMEM\x00ER00001"), id="control character"),
        pytest.param(with_value(0x42, b"VNMEMBER0000a"), id="sequence number"),
        pytest.param(with_value(0x5F24, bytes([2, 5, 0, 1, 0, 1])), id="ends before it begins"),
        pytest.param(with_value(0x5F25, bytes([2, 6, 1, 3, 0, 1])), id="month 13"),
        pytest.param(with_value(0x5F25, bytes([2, 6, 0, 2, 3, 0])), id="30 February"),
        pytest.param(with_value(0x5F25, bytes([2, 6, 0, 10, 0, 1])), id="no digit"),
        pytest.param(with_value(0x5F25, b"261121"), id="text"),
        pytest.param(with_value(0x5F25, bytes([2, 6, 1, 1])), id="short date"),
        pytest.param(with_value(0x65, b""), id="no extensions"),
        pytest.param(rebuilt(lambda items: items[:-2] + items[-1:]), id="no expiration date"),
        pytest.param(rebuilt(lambda items: [*items, items[-1]]), id="extensions twice"),
        pytest.param(rebuilt(lambda items: [items[1], items[0], *items[2:]]), id="other order"),
        pytest.param(rebuilt(lambda items: [*items, Tlv(0x53, b"")]), id="something more"),
    ],
)
def test_what_is_no_certificate_is_malformed(encoded: bytes) -> None:
    assert code_of(lambda: CvCertificate.from_bytes(encoded)) == "cv-certificate.malformed"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        tlv.encode(0x06, der.encode_object_identifier("1.2.3")) + tlv.encode(0x53, b"\xc0"),
        tlv.encode(0x06, der.encode_object_identifier("0.4.0.127.0.7.3.1.2.1")),
        tlv.encode(0x06, der.encode_object_identifier("0.4.0.127.0.7.3.1.2.1"))
        + tlv.encode(0x53, b"\xc0\x00"),
        tlv.encode(0x53, b"\xc0"),
    ],
)
def test_an_authorisation_that_says_nothing_is_malformed(value: bytes) -> None:
    assert code_of(lambda: HolderAuthorisation.from_value(value)) == "cv-certificate.malformed"


def template(oid: str, *objects: Tlv) -> bytes:
    name = tlv.encode(0x06, der.encode_object_identifier(oid))
    return tlv.encode(0x73, name + tlv.concatenate(objects))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        template("1.2.3"),
        template("1.2.3", Tlv(0x80, b"")) * 2,
        template(FILE_RIGHTS_OID, Tlv(0x53, b"\x10\x00")) * 2,
        template(FILE_RIGHTS_OID, Tlv(0x53, b"\x10")),
        template(FILE_RIGHTS_OID, Tlv(0x53, b"\x00\x10\x00")),
        template(FILE_RIGHTS_OID, Tlv(0x80, b"\x10\x00")),
        template(FILE_RIGHTS_OID, Tlv(0x53, b"\x10\x00"), Tlv(0x53, b"\x10\x00")),
        tlv.encode(0x73, b""),
        tlv.encode(0x53, b"\x10\x00"),
        b"".join(template(f"1.2.{arc}", Tlv(0x80, b"")) for arc in range(17)),
    ],
)
def test_extensions_that_cannot_be_understood_are_malformed(value: bytes) -> None:
    assert code_of(lambda: read_extensions(value)) == "cv-certificate.malformed"


def test_the_right_to_the_member_record_is_bit_12() -> None:
    written = write_extensions((CertificateExtension.granting(FileRights.of([13])),))
    assert written.hex() == "7311060b2b0601040181fd5933020153021000"
    assert read_extensions(written)[0].file_rights == FileRights.of([13])
    assert FileRights.of([1, 16]).to_bytes() == bytes.fromhex("8001")
    assert root_body().file_rights == FileRights.of([13])


@given(file_rights)
def test_file_rights_read_back_as_they_were(rights: FileRights) -> None:
    assert FileRights.from_bytes(rights.to_bytes()) == rights


@pytest.mark.parametrize("group", [0, 17])
def test_there_are_sixteen_data_groups(group: int) -> None:
    assert code_of(lambda: FileRights.of([group])) == "cv-certificate.malformed"


def test_only_certificates_of_a_cvca_have_domain_parameters() -> None:
    body = root_body()
    below = HolderAuthorisation(
        terminal_type=TerminalType.INSPECTION_SYSTEM, role=Role.DOCUMENT_VERIFIER
    )
    common = {
        "effective_date": body.effective_date,
        "expiration_date": body.expiration_date,
    }
    with pytest.raises(PkiDataError, match="has domain parameters"):
        CertificateBody(
            authority_reference=CVCA,
            public_key=body.public_key,
            holder_reference=GATE,
            authorisation=below,
            **common,
        )
    with pytest.raises(PkiDataError, match="names itself"):
        CertificateBody(
            authority_reference=GATE,
            public_key=body.public_key.without_parameters(),
            holder_reference=GATE,
            authorisation=below,
            **common,
        )
    with pytest.raises(PkiDataError, match="no domain parameters"):
        CertificateBody(
            authority_reference=CVCA,
            public_key=body.public_key.without_parameters(),
            holder_reference=CVCA,
            authorisation=body.authorisation,
            **common,
        )


@given(days)
def test_dates_are_six_unpacked_digits(day: date) -> None:
    written = write_date(day)
    assert len(written) == 6
    assert read_date(written) == day


@pytest.mark.parametrize("day", [date(1999, 12, 31), date(2100, 1, 1)])
def test_a_year_that_two_digits_cannot_tell_is_not_written(day: date) -> None:
    assert code_of(lambda: write_date(day)) == "cv-certificate.malformed"


def test_validity_includes_both_ends() -> None:
    body = root_body()
    assert body.is_valid_on(body.effective_date)
    assert body.is_valid_on(body.expiration_date)
    assert not body.is_valid_on(body.effective_date - timedelta(days=1))
    assert not body.is_valid_on(body.expiration_date + timedelta(days=1))


@pytest.mark.parametrize(
    ("number", "following"),
    [
        ("00001", "00002"),
        ("00009", "00010"),
        ("99998", "99999"),
        ("DE019", "DE01A"),
        ("VN0ZZ", "VN100"),
        ("0000A", "0000B"),
        ("0A0ZZ", "0A100"),
        ("A0Z0Z", "A0Z10"),
    ],
)
def test_sequence_numbers_go_on(number: str, following: str) -> None:
    reference = HolderReference(country="VN", mnemonic="GATE", sequence_number=number)
    assert reference.next.sequence_number == following
    assert reference.next.holder == reference.holder
    assert reference.next.is_later_than(reference)
    assert not reference.is_later_than(reference.next)


@pytest.mark.parametrize("number", ["99999", "ZZZZZ", "VNZZZ"])
def test_the_last_sequence_number_has_no_next(number: str) -> None:
    reference = HolderReference(country="VN", mnemonic="GATE", sequence_number=number)
    with pytest.raises(PkiRefusedError) as caught:
        _ = reference.next
    assert caught.value.code == "cv-certificate.sequence-exhausted"


@given(references)
def test_references_read_back_as_they_were(reference: HolderReference) -> None:
    assert HolderReference.from_bytes(reference.to_bytes()) == reference
    assert HolderReference.from_text(reference.text) == reference
    assert 8 <= len(reference.to_bytes()) <= 16


def test_a_reference_in_other_letters_is_malformed() -> None:
    assert code_of(lambda: HolderReference.from_text("VNĐẢNG00001")) == "cv-certificate.malformed"


@pytest.mark.parametrize("curve", NamedCurve)
@pytest.mark.parametrize("authority", [None, CVCA])
def test_a_request_proves_its_key_and_is_vouched_for(
    curve: NamedCurve, authority: HolderReference | None
) -> None:
    earlier = SoftwareSigner(ec.generate_private_key(curve.to_cryptography()))
    request = CertificateRequest.make(
        SIGNERS[curve], holder_reference=GATE.next, authority_reference=authority
    )
    assert read_request(request.to_bytes()) == request
    assert request.verify().curve is curve
    authenticated = AuthenticatedRequest.make(request, signer=earlier, reference=GATE)
    found = read_request(authenticated.to_bytes())
    assert found == authenticated
    assert found.to_bytes()[0] == 0x67
    key = CvPublicKey.of(earlier, explicit=True)
    authenticated.verify(key.on(curve), key.algorithm)
    # The signature covers the reference, too: another key of the same holder cannot be named instead.
    elsewhere = AuthenticatedRequest(
        request=request, authenticator_reference=GATE.next, signature=authenticated.signature
    )
    action = lambda: elsewhere.verify(key.on(curve), key.algorithm)  # noqa: E731 - one of many alike
    assert code_of(action) == "cv-certificate.signature-invalid"


def test_no_byte_of_a_request_can_be_altered() -> None:
    signer = SIGNERS[NamedCurve.SECP256R1]
    earlier = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
    key = CvPublicKey.of(earlier, explicit=True)
    request = CertificateRequest.make(signer, holder_reference=GATE, authority_reference=CVCA)
    encoded = AuthenticatedRequest.make(request, signer=earlier, reference=GATE).to_bytes()
    for position in range(len(encoded)):
        altered = bytearray(encoded)
        altered[position] ^= 1
        with pytest.raises(PkiDataError):
            judge_request(bytes(altered), key)
    judge_request(encoded, key)


def judge_request(encoded: bytes, key: CvPublicKey) -> None:
    found = AuthenticatedRequest.from_bytes(encoded)
    found.request.verify()
    found.verify(key.on(NamedCurve.SECP256R1), key.algorithm)


def test_a_request_says_its_curve() -> None:
    request = CertificateRequest.make(
        SIGNERS[NamedCurve.SECP256R1], holder_reference=GATE, authority_reference=None
    )
    parts = list(tlv.parse(request.body.to_bytes()).children())
    inherited = request.body.public_key.without_parameters().to_value()
    parts = [Tlv(0x7F49, inherited) if item.tag == 0x7F49 else item for item in parts]
    body = tlv.encode(0x7F4E, tlv.concatenate(parts))
    encoded = tlv.encode(0x7F21, body + tlv.encode(0x5F37, request.signature))
    with pytest.raises(PkiDataError, match="no domain parameters"):
        read_request(encoded)
