"""Token Status Lists: what the draft packs, what another library verifies, and nothing that somebody changed."""

import base64
import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.software import SoftwareSigner
from pki.signed.card_states import CardState
from pki.signed.token_status_list import (
    MAX_TOKEN_BYTES,
    TokenStatus,
    TokenStatusList,
    prepare_token,
    token_uri,
)
from simulators.authority import TestAuthority
from tests.unit.verifier.status_office import StatusOffice

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
BASE = "https://status.example/cards"
URI = token_uri(BASE, bytes(range(8)))

_OF_STATUS = {
    0: CardState.VALID,
    1: CardState.REVOKED,
    2: CardState.SUSPENDED,
    3: CardState.DATA_STALE,
}


@pytest.fixture(scope="module")
def office() -> StatusOffice:
    return StatusOffice(authority=TestAuthority.create(now=NOW - timedelta(days=1)))


def token_of(office: StatusOffice, table: bytes, **changed: Any) -> bytes:
    signer = SoftwareSigner(office.key)
    return prepare_token(
        **{
            "signer_certificate": office.certificate,
            "public_key": signer.public_key,
            "uri": URI,
            "table": table,
            "issued_at": NOW,
            "expires_at": NOW + timedelta(days=3),
            "ttl": timedelta(hours=6),
            **changed,
        }
    ).sign(signer)


def parts_of(token: bytes) -> tuple[Any, Any]:
    header, payload, _ = (part + b"=" * (-len(part) % 4) for part in token.split(b"."))
    return json.loads(base64.urlsafe_b64decode(header)), json.loads(
        base64.urlsafe_b64decode(payload)
    )


def signed_anew(office: StatusOffice, header: Any, payload: Any) -> bytes:
    key = ECKey.import_key(office.key)
    return jws.serialize_compact(header, json.dumps(payload).encode(), key).encode()


def refusal(token: bytes) -> str:
    with pytest.raises(PkiDataError) as caught:
        TokenStatusList.from_bytes(token)
    assert caught.value.code == "token-status-list.malformed"
    return str(caught.value)


def test_the_drafts_own_example_of_two_bits_is_packed_as_it_says(office: StatusOffice) -> None:
    # draft-ietf-oauth-status-list-18, 4.2: the list of 12 positions whose bytes are c9 44 f9.
    entries = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
    _, payload = parts_of(token_of(office, bytes(_OF_STATUS[each] for each in entries)))
    packed = zlib.decompress(base64.urlsafe_b64decode(payload["status_list"]["lst"] + "=="))
    assert (payload["status_list"]["bits"], packed.hex()) == (2, "c944f9")
    assert payload["status_list"]["lst"] == "eNo76fITAAPfAgc"


def test_another_library_verifies_it_with_the_certificate_that_it_carries(
    office: StatusOffice,
) -> None:
    token = token_of(office, bytes(64))
    registry = jws.JWSRegistry()
    # Its own limit leaves no room for a certificate.
    registry.max_header_length = 4096
    public_key = ECKey.import_key(office.key.public_key())
    found = jws.deserialize_compact(token, public_key, registry=registry)
    header, payload = parts_of(token)
    assert (found.headers()["typ"], header["alg"]) == ("statuslist+jwt", "ES256")
    assert base64.b64decode(header["x5c"][0]) == office.certificate
    assert payload["sub"] == URI == "https://status.example/cards/0001020304050607"
    assert payload["exp"] - payload["iat"] == 3 * 24 * 3600
    assert payload["ttl"] == 6 * 3600


@given(table=st.binary(min_size=1, max_size=600).map(lambda raw: bytes(each % 7 for each in raw)))
@settings(deadline=None, max_examples=60)
def test_every_position_says_what_its_state_becomes(office: StatusOffice, table: bytes) -> None:
    found = TokenStatusList.from_bytes(token_of(office, table))
    for index, state in enumerate(table):
        assert found.find(index) is TokenStatus.of(CardState(state))
    # A byte holds four positions; those that no list has are never valid.
    for index in range(len(table), len(found.statuses)):
        assert found.find(index) is TokenStatus.SUSPENDED
    assert found.find(len(found.statuses)) is None
    assert found.find(-1) is None


def test_nothing_but_valid_and_stale_cards_count_for_others() -> None:
    counting = {
        state
        for state in CardState
        if TokenStatus.of(state) in {TokenStatus.VALID, TokenStatus.DATA_STALE}
    }
    assert counting == {CardState.VALID, CardState.DATA_STALE}
    assert {state for state in CardState if TokenStatus.of(state) is TokenStatus.INVALID} == {
        state for state in CardState if state.is_final
    }


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_a_token_in_which_one_bit_was_changed_is_refused(
    office: StatusOffice, data: st.DataObject
) -> None:
    token = bytearray(token_of(office, bytes(48)))
    token[data.draw(st.integers(0, len(token) - 1))] ^= 1 << data.draw(st.integers(0, 6))
    refusal(bytes(token))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda header, _: header.update(typ="JWT"), "its type is 'JWT'"),
        (lambda header, _: header.update(kid="1"), "other members"),
        (lambda header, _: header.update(x5c=header["x5c"] * 2), "exactly one certificate"),
        (lambda header, _: header.update(x5c=["AAAA"]), "not that of a status-list signer"),
        (
            lambda _, payload: payload.update(exp=payload["iat"] + 91 * 86400),
            "it lives for 91 days",
        ),
        (lambda _, payload: payload.update(exp=payload["iat"]), "it lives for 0:00:00"),
        (lambda _, payload: payload.update(ttl=0), "fetched anew after 0:00:00"),
        (lambda _, payload: payload.update(ttl=10**30), "expected at most"),
        (lambda _, payload: payload.update(iat=-1), "out of range"),
        (lambda _, payload: payload.update(iat=True), "of a wrong kind"),
        (lambda _, payload: payload.update(iat=0, exp=86400), "its signer's key signs from"),
        (
            lambda _, payload: payload.update(sub="http://status.example/1"),
            "no plain https address",
        ),
        (lambda _, payload: payload.update(sub="https://a b/1"), "no plain https address"),
        (lambda _, payload: payload["status_list"].update(bits=1), "of 2 bits a position"),
        (lambda _, payload: payload["status_list"].update(lst="AAAA"), "cannot be unpacked"),
        (lambda _, payload: payload["status_list"].update(lst="eNo76fITAAPfAgd="), "base64url"),
        (lambda _, payload: payload.pop("ttl"), "other members"),
    ],
)
def test_what_the_signer_itself_should_not_have_signed_is_refused(
    office: StatusOffice, change: Any, sentence: str
) -> None:
    header, payload = parts_of(token_of(office, bytes(48)))
    change(header, payload)
    assert sentence in refusal(signed_anew(office, header, payload))


def test_a_list_that_unpacks_without_end_is_refused_at_its_bound(office: StatusOffice) -> None:
    header, payload = parts_of(token_of(office, bytes(48)))
    bomb = base64.urlsafe_b64encode(zlib.compress(bytes(1 << 26), 9)).rstrip(b"=").decode()
    payload["status_list"]["lst"] = bomb
    assert "more than 1048576 positions" in refusal(signed_anew(office, header, payload))
    assert "expected at most" in refusal(b"a" * (MAX_TOKEN_BYTES + 1))


def test_a_key_of_somebody_elses_makes_no_token(office: StatusOffice) -> None:
    header, payload = parts_of(token_of(office, bytes(48)))
    other = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()))
    token = jws.serialize_compact(header, json.dumps(payload).encode(), other)
    assert "not that of the certificate" in refusal(token.encode())


def test_the_algorithm_is_that_of_the_key_and_never_the_headers(office: StatusOffice) -> None:
    header, payload = parts_of(token_of(office, bytes(48)))
    for name in ("none", "HS256", "ES384", "PS256", ""):
        changed = base64.urlsafe_b64encode(json.dumps({**header, "alg": name}).encode())
        body = base64.urlsafe_b64encode(json.dumps(payload).encode())
        token = changed.rstrip(b"=") + b"." + body.rstrip(b"=") + b"."
        assert "its algorithm is" in refusal(token)


def test_a_member_that_stands_twice_is_refused(office: StatusOffice) -> None:
    header, payload = parts_of(token_of(office, bytes(48)))
    text = json.dumps(payload)[:-1] + ', "ttl": 60}'
    token = jws.serialize_compact(header, text.encode(), ECKey.import_key(office.key))
    assert "names a member twice" in refusal(token.encode())


def test_a_curve_without_a_name_there_signs_no_token(office: StatusOffice) -> None:
    key = ec.generate_private_key(ec.BrainpoolP256R1())
    with pytest.raises(PkiRefusedError) as caught:
        token_of(office, bytes(48), public_key=key.public_key())
    assert caught.value.code == "token-status-list.algorithm"


@pytest.mark.parametrize(
    "base", ["", "http://status.example", "https://", "https://a/b?c", "https://a/b#c", "https://ä"]
)
def test_an_address_that_is_none_is_refused(base: str) -> None:
    with pytest.raises(PkiRefusedError) as caught:
        token_uri(base, bytes(8))
    assert caught.value.code == "token-status-list.uri"
