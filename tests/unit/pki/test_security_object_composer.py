"""One signer's composer: the templates that it keeps change no byte and spare no check (SPEC.md, 7)."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from pki.certificates.certificate import load_certificate
from pki.errors import PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm
from pki.signed import signed_data
from pki.signed.lds_content import LdsVersion
from pki.signed.security_object import SecurityObjectComposer, StatusReference

ALGORITHM = SignatureAlgorithm.ECDSA_SHA256
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
STATUS = StatusReference(list_id=b"LIST0001", index=4711)
KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "TEST signer")])
CERTIFICATE = (
    x509.CertificateBuilder(
        subject_name=NAME,
        issuer_name=NAME,
        public_key=KEY.public_key(),
        serial_number=77,
        not_valid_before=NOW - timedelta(days=1),
        not_valid_after=NOW + timedelta(days=1),
    )
    .sign(KEY, hashes.SHA256())
    .public_bytes(Encoding.DER)
)


def new_composer() -> SecurityObjectComposer:
    return SecurityObjectComposer(
        algorithm=ALGORITHM, public_key=KEY.public_key(), certificate_der=CERTIFICATE
    )


COMPOSER = new_composer()


def compose(composer: SecurityObjectComposer, file_hashes: dict[int, bytes]) -> bytes:
    return composer.prepare(
        file_hashes=file_hashes, signing_time=NOW, status_reference=STATUS
    ).finish(b"signature")


def readable(file_hashes: dict[int, bytes]) -> bytes:
    certificate = load_certificate(CERTIFICATE)
    return signed_data.prepare(
        algorithm=ALGORITHM,
        certificate=CERTIFICATE,
        issuer=certificate.issuer,
        serial_number=certificate.serial_number,
        file_hashes=file_hashes,
        signing_time=NOW,
        list_id=STATUS.list_id,
        index=STATUS.index,
        lds_version=LdsVersion.V1,
    ).finish(b"signature")


def refusal_of(composer: SecurityObjectComposer, file_hashes: dict[int, bytes]) -> tuple[str, str]:
    with pytest.raises(PkiRefusedError) as caught:
        compose(composer, file_hashes)
    return caught.value.code, str(caught.value)


@given(
    requests=st.lists(
        st.lists(
            st.tuples(st.integers(1, 16), st.binary(min_size=32, max_size=32)),
            min_size=2,
            max_size=16,
            unique_by=lambda item: item[0],
        ).map(dict),
        min_size=1,
        max_size=4,
    )
)
def test_groups_in_any_order_and_any_turn_give_the_readable_encoders_bytes(
    requests: list[dict[int, bytes]],
) -> None:
    for file_hashes in requests:
        for _ in range(2):
            assert compose(COMPOSER, file_hashes) == readable(file_hashes)


@given(
    sizes=st.dictionaries(st.integers(-1, 18), st.integers(30, 34), max_size=17),
    are_known=st.booleans(),
)
def test_a_composer_that_has_met_these_groups_refuses_what_a_new_one_refuses(
    sizes: dict[int, int], *, are_known: bool
) -> None:
    composer = new_composer()
    groups = [number for number in sizes if 1 <= number <= 16]
    if are_known and len(groups) >= 2:
        compose(composer, dict.fromkeys(sorted(groups), bytes(32)))
    file_hashes = {number: bytes(size) for number, size in sorted(sizes.items())}
    is_sound = 2 <= len(sizes) <= 16 and len(groups) == len(sizes) and set(sizes.values()) == {32}
    if is_sound:
        assert compose(composer, file_hashes) == readable(file_hashes)
    else:
        assert refusal_of(composer, file_hashes) == refusal_of(new_composer(), file_hashes)


@pytest.mark.parametrize("sizes", [(31, 33), (33, 31), (32, 31), (0, 64), (32, 33)])
def test_digests_of_wrong_lengths_are_refused_though_their_groups_are_known(
    sizes: tuple[int, int],
) -> None:
    composer = new_composer()
    compose(composer, {1: bytes(32), 2: bytes(32)})
    code, text = refusal_of(composer, {1: bytes(sizes[0]), 2: bytes(sizes[1])})
    assert code == "signing.request-invalid"
    assert "expected 32 for SHA256" in text


def test_a_time_without_zone_is_refused_though_its_groups_are_known() -> None:
    composer = new_composer()
    hashes = {1: bytes(32), 2: bytes(32)}
    compose(composer, hashes)
    with pytest.raises(PkiRefusedError, match="no time zone"):
        composer.prepare(
            file_hashes=hashes, signing_time=NOW.replace(tzinfo=None), status_reference=STATUS
        )


def test_a_year_that_no_utc_time_writes_is_left_to_the_readable_encoder() -> None:
    composer = new_composer()
    hashes = {1: bytes(32), 2: bytes(32)}
    compose(composer, hashes)
    late = composer.prepare(
        file_hashes=hashes,
        signing_time=NOW + timedelta(days=365 * 30),
        status_reference=STATUS,
    )
    assert b"20561" in late.to_be_signed
