"""The file in which the PKI challenges a new credential: read in the one encoding in which it is written, or not at all."""

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.signed.credential_challenge import CredentialChallenge
from pki.signed.webauthn import WebauthnError

CHALLENGES = st.builds(
    CredentialChallenge,
    operator=st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True),
    challenge=st.binary(min_size=32, max_size=32),
    user=st.binary(min_size=1, max_size=64),
    origin=st.just("https://console.example"),
    rp_id=st.just("console.example"),
    expires=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001 - hypothesis wants bounds without a zone
        lambda moment: moment.replace(tzinfo=UTC, microsecond=0)
    ),
    algorithms=st.just((-8, -7, -257)),
    exclude=st.lists(st.binary(min_size=1, max_size=64), max_size=8).map(tuple),
)


@given(CHALLENGES)
def test_what_is_written_is_read(challenge: CredentialChallenge) -> None:
    assert CredentialChallenge.from_bytes(challenge.to_bytes()) == challenge


@given(CHALLENGES, st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_another_octet_makes_another_challenge_or_none(
    challenge: CredentialChallenge, place: int, change: int
) -> None:
    content = bytearray(challenge.to_bytes())
    content[place % len(content)] ^= change
    with contextlib.suppress(WebauthnError):
        found = CredentialChallenge.from_bytes(bytes(content))
        assert found != challenge
        assert found.to_bytes() == bytes(content)


@given(st.binary(max_size=200))
def test_what_is_no_challenge_is_refused(content: bytes) -> None:
    with pytest.raises(WebauthnError):
        CredentialChallenge.from_bytes(content)


@pytest.mark.parametrize(
    "changes",
    [
        {"challenge": "00"}, {"user": ""}, {"user": "00" * 65}, {"exclude": ["00"] * 9}, {"exclude": [""]},
        {"format": 2}, {"kind": "another"}, {"more": 1}, {"expires": "soon"}, {"algorithms": ["x"]},
    ],
)  # fmt: skip
def test_a_challenge_over_its_bounds_is_refused(changes: dict[str, object]) -> None:
    right = CredentialChallenge(
        operator="lan",
        challenge=bytes(32),
        user=bytes(16),
        origin="https://console.example",
        rp_id="console.example",
        expires=datetime(2026, 11, 22, tzinfo=UTC),
        algorithms=(-7,),
        exclude=(),
    )
    content = json.loads(right.to_bytes()) | changes
    encoded = json.dumps(content, sort_keys=True, indent=1).encode() + b"\n"
    with pytest.raises(WebauthnError):
        CredentialChallenge.from_bytes(encoded)
