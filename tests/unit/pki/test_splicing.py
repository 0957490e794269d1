"""Splicing against the readable encoder and the strict parser: the same bytes, and the same ones recognised."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from card_layout import tlv
from pki.certificates.certificate import load_certificate
from pki.errors import PkiError
from pki.keys.algorithms import HashAlgorithm, SignatureAlgorithm
from pki.signed import signed_data, splicing
from pki.signed.lds_content import LdsVersion
from pki.signed.security_object import SecurityObject, SecurityObjectError
from pki.signed.signed_frame import UnsignedFrame
from pki.signed.spliced_attributes import (
    SET_HEADER_BYTES,
    attribute_pieces,
    encode_signing_time,
)

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
CURVES = {
    SignatureAlgorithm.ECDSA_SHA256: ec.SECP256R1(),
    SignatureAlgorithm.ECDSA_SHA384: ec.BrainpoolP384R1(),
    SignatureAlgorithm.ECDSA_SHA512: ec.SECP521R1(),
}


def _certificate(algorithm: SignatureAlgorithm, name: str, serial_number: int) -> bytes:
    key = ec.generate_private_key(CURVES[algorithm])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial_number)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


CERTIFICATES = [
    (algorithm, _certificate(algorithm, name, serial_number))
    for algorithm in splicing.ALGORITHMS
    # Issuers and serial numbers on both sides of the places where a length needs one byte more.
    for name, serial_number in (("A", 1), ("B" * 64, 0x80), ("C" * 30, (1 << 158) + 5))
]


@st.composite
def requests(draw: st.DrawFn) -> dict[str, object]:
    algorithm, certificate = draw(st.sampled_from(CERTIFICATES))
    size = algorithm.hash_algorithm.digest_bytes
    parsed = load_certificate(certificate)
    return {
        "algorithm": algorithm,
        "certificate": certificate,
        "issuer": parsed.issuer,
        "serial_number": parsed.serial_number,
        "file_hashes": draw(
            st.dictionaries(
                st.integers(1, 16),
                st.one_of(
                    st.binary(min_size=size, max_size=size),
                    st.integers(0, 255).map(lambda value: bytes((value,)) * size),
                ),
                min_size=2,
                max_size=16,
            )
        ),
        "signing_time": draw(
            st.datetimes(
                min_value=datetime(1951, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
                max_value=datetime(2049, 12, 30),  # noqa: DTZ001 - the same
                timezones=st.sampled_from((UTC, timezone(timedelta(hours=7)))),
            )
        ),
        "list_id": draw(st.binary(min_size=8, max_size=8)),
        "index": draw(
            st.one_of(
                st.sampled_from(
                    [
                        bound + step
                        for bound in (0x80, 0x8000, 0x800000, 0x80000000)
                        for step in (-1, 0)
                    ]
                ),
                st.integers(0, 0xFFFFFFFF),
            )
        ),
        "lds_version": draw(st.sampled_from(LdsVersion)),
    }


def readable(request: dict[str, object]) -> UnsignedFrame:
    return signed_data.prepare(**request)  # type: ignore[arg-type]


def spliced(request: dict[str, object]) -> splicing.SplicedSignedData:
    file_hashes = request["file_hashes"]
    signing_time = request["signing_time"]
    assert isinstance(file_hashes, dict)
    assert isinstance(signing_time, datetime)
    encoded_time = encode_signing_time(signing_time)
    assert encoded_time is not None
    groups = tuple(sorted(file_hashes))
    template = splicing.template_of(
        request["algorithm"],  # type: ignore[arg-type]
        request["certificate"],  # type: ignore[arg-type]
        groups,
        request["lds_version"],  # type: ignore[arg-type]
    )
    return template.splice(
        [file_hashes[number] for number in groups],
        signing_time=encoded_time,
        list_id=request["list_id"],  # type: ignore[arg-type]
        index=request["index"],  # type: ignore[arg-type]
    )


signatures = st.one_of(st.binary(min_size=64, max_size=72), st.binary(max_size=300))


@given(request=requests(), signature=signatures)
def test_the_spliced_object_is_the_readable_encoders_byte_for_byte(
    request: dict[str, object], signature: bytes
) -> None:
    expected = readable(request)
    got = spliced(request)
    assert got.to_be_signed == expected.to_be_signed
    assert got.finish(signature) == expected.finish(signature)


@given(request=requests(), signature=signatures)
def test_what_is_recognised_is_what_the_strict_parser_finds(
    request: dict[str, object], signature: bytes
) -> None:
    encoded = spliced(request).finish(signature)
    recognised = splicing.recognise(encoded)
    assert recognised is None or recognised == signed_data.parse(encoded)


def _of_a_card(algorithm: SignatureAlgorithm = SignatureAlgorithm.ECDSA_SHA256) -> bytes:
    certificate = next(der for item, der in CERTIFICATES if item is algorithm)
    size = algorithm.hash_algorithm.digest_bytes
    template = splicing.template_of(algorithm, certificate, (1, 2, 11, 12, 13, 14), LdsVersion.V1)
    encoded_time = encode_signing_time(NOW)
    assert encoded_time is not None
    prepared = template.splice(
        [bytes((number,)) * size for number in range(6)],
        signing_time=encoded_time,
        list_id=b"LIST0001",
        index=4711,
    )
    return prepared.finish(bytes(71))


CARD = _of_a_card()


@pytest.mark.parametrize("algorithm", splicing.ALGORITHMS)
def test_the_security_object_of_a_card_of_ours_is_recognised(algorithm: SignatureAlgorithm) -> None:
    encoded = _of_a_card(algorithm)
    assert splicing.recognise(encoded) == signed_data.parse(encoded)


def agree(altered: bytes) -> None:
    """What is recognised is what the strict parser makes of the same bytes; what it refuses is not recognised."""
    recognised = splicing.recognise(altered)
    try:
        parsed = signed_data.parse(altered)
    except PkiError:
        assert recognised is None
        return
    assert recognised is None or recognised == parsed


def test_no_flipped_bit_is_recognised_that_the_strict_parser_refuses() -> None:
    for position in range(len(CARD)):
        for bit in range(8):
            altered = bytearray(CARD)
            altered[position] ^= 1 << bit
            agree(bytes(altered))


def test_no_byte_left_out_or_put_in_is_recognised_that_the_strict_parser_refuses() -> None:
    for position in range(len(CARD)):
        agree(CARD[:position] + CARD[position + 1 :])
        agree(CARD[:position] + CARD[position : position + 1] + CARD[position:])
    for size in range(0, len(CARD), 7):
        agree(CARD[:size])


def _resized(encoded: bytes, depth: int) -> bytes:
    """The object with a long form of a length at some depth of its first elements."""
    if not depth:
        header = tlv.read_header(encoded)
        return encoded[:1] + b"\x84" + header.length.to_bytes(4, "big") + encoded[header.size :]
    item = tlv.parse(encoded)
    first, *rest = item.children()
    last = rest[-1] if rest else first
    inner = b"".join(part.to_bytes() for part in (first, *rest)[:-1])
    return tlv.encode(item.tag, inner + _resized(last.to_bytes(), depth - 1))


@pytest.mark.parametrize("depth", range(4))
def test_a_length_that_is_not_in_its_shortest_form_is_refused_by_both(depth: int) -> None:
    altered = _resized(CARD, depth)
    assert splicing.recognise(altered) is None
    with pytest.raises(SecurityObjectError):
        signed_data.parse(altered)


@given(data=st.binary(max_size=400))
def test_any_bytes_are_left_to_the_strict_parser(data: bytes) -> None:
    assert splicing.recognise(data) is None
    assert splicing.recognise(CARD[:100] + data) is None


@given(
    position=st.integers(0, len(CARD) - 1),
    removed=st.integers(0, 40),
    inserted=st.binary(max_size=40),
)
def test_any_replaced_stretch_is_judged_alike(position: int, removed: int, inserted: bytes) -> None:
    agree(CARD[:position] + inserted + CARD[position + removed :])


@pytest.mark.parametrize("groups", [(), (1,), (2, 1), (1, 1), (0, 1), (1, 17), tuple(range(1, 18))])
def test_data_groups_that_no_object_may_list_make_no_template(groups: tuple[int, ...]) -> None:
    algorithm, certificate = CERTIFICATES[0]
    with pytest.raises(ValueError, match="data groups"):
        splicing.template_of(algorithm, certificate, groups, LdsVersion.V1)


@given(
    algorithm=st.sampled_from(splicing.ALGORITHMS),
    edits=st.lists(
        st.tuples(st.integers(0, len(CARD) - 1), st.integers(0, 8), st.binary(max_size=8)),
        min_size=2,
        max_size=4,
    ),
)
def test_several_replaced_stretches_are_judged_alike(
    algorithm: SignatureAlgorithm, edits: list[tuple[int, int, bytes]]
) -> None:
    altered = _of_a_card(algorithm)
    for position, removed, inserted in edits:
        altered = altered[:position] + inserted + altered[position + removed :]
    agree(altered)


@given(digest=st.binary(min_size=32, max_size=32))
def test_a_stated_message_digest_is_taken_as_it_stands_and_refused_when_it_is_verified(
    digest: bytes,
) -> None:
    content = signed_data.parse(CARD).content
    right = HashAlgorithm.SHA256.digest(content)
    altered = CARD.replace(right, digest)
    recognised = splicing.recognise(altered)
    assert recognised is not None
    assert recognised == signed_data.parse(altered)
    assert recognised.message_digest == digest
    with pytest.raises(SecurityObjectError) as caught:
        SecurityObject.from_bytes(altered).verify_signature()
    assert caught.value.code == "security-object.signature-invalid"
    if digest != right:
        assert "message digest" in str(caught.value)


@pytest.mark.parametrize("algorithm", splicing.ALGORITHMS)
@pytest.mark.parametrize("index", [0, 0x7F, 0x80, 0x7FFF, 0x8000, 0xFFFFFFFF])
def test_the_length_of_the_signed_attributes_takes_one_byte_more(
    algorithm: SignatureAlgorithm, index: int
) -> None:
    size = algorithm.hash_algorithm.digest_bytes
    pieces = attribute_pieces(size)[index.bit_length() // 8 + 1]
    assert tlv.read_header(pieces.before_time).size == SET_HEADER_BYTES


@given(
    time=st.one_of(
        st.text(st.sampled_from("0123459"), min_size=12, max_size=12).map(lambda text: text + "Z"),
        st.datetimes(datetime(2000, 1, 1), datetime(2049, 12, 31, 23, 59, 59)).map(  # noqa: DTZ001 - written as UTC
            lambda moment: f"{moment:%y%m%d%H%M%SZ}"
        ),
        st.text(st.sampled_from("0129-:.+TWZ \u0660"), max_size=14),
    )
)
def test_a_time_is_read_as_its_digits_say_or_not_at_all(time: str) -> None:
    try:
        found = splicing._moment(time.encode())
    except ValueError:
        found = None
    expected = None
    if len(time) == 13 and time.isascii() and time[:12].isdigit() and time[12] == "Z":
        year, month, day, hour, minute, second = (
            int(time[place : place + 2]) for place in range(0, 12, 2)
        )
        with contextlib.suppress(ValueError):
            whole = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
            expected = whole if year < 50 else None
    assert found == expected


@pytest.mark.parametrize("time", [b"261122240000Z", b"261122236000Z", b"260229000000Z"])
def test_a_time_that_no_day_has_is_none(time: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        splicing._moment(time)
