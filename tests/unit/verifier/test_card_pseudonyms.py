"""Pseudonyms of cards move from key to key, and tell nobody without a key whose they are."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout.curves import NamedCurve
from verifier.services.card_pseudonym import PseudonymError, PseudonymKey, rekeyed

P256 = NamedCurve.SECP256R1.value
SECRETS = st.binary(min_size=32, max_size=32)


@given(identity=st.binary(max_size=64), first=SECRETS, second=SECRETS, centre=SECRETS)
def test_whichever_terminal_saw_a_card_the_centre_calls_it_the_same(
    identity: bytes, first: bytes, second: bytes, centre: bytes
) -> None:
    key = PseudonymKey.from_secret(centre)
    moved = {
        rekeyed(terminal.pseudonym(identity), key.after(terminal.release))
        for terminal in map(PseudonymKey.from_secret, (first, second))
    }
    assert moved == {key.pseudonym(identity)}


def test_two_terminals_and_two_cards_have_different_pseudonyms() -> None:
    keys = [PseudonymKey.from_secret(bytes([number]) * 32) for number in range(4)]
    found = {key.pseudonym(card) for key in keys for card in (b"one", b"another")}
    assert len(found) == 8


def test_a_pseudonym_is_the_x_coordinate_of_a_multiple_reckoned_by_hand() -> None:
    """The same with plain arithmetic: a point from the digests, and a ladder of additions."""
    secret, identity = bytes(range(32)), b"status\x01\x02"
    counter = 0
    while True:
        x = int.from_bytes(
            sha256(b"membercard card pseudonym v1\x00" + bytes([counter]) + identity).digest(),
            "big",
        )
        square = (x**3 + P256.a * x + P256.b) % P256.p
        y = pow(square, (P256.p + 1) // 4, P256.p)
        if x < P256.p and y * y % P256.p == square:
            break
        counter += 1
    number = pow(int.from_bytes(PseudonymKey.from_secret(secret).release, "big"), -1, P256.n)
    found = _multiple((x, y), number)
    assert PseudonymKey.from_secret(secret).pseudonym(identity) == found[0].to_bytes(32, "big")


def _multiple(point: tuple[int, int], number: int) -> tuple[int, int]:
    result: tuple[int, int] | None = None
    for bit in f"{number:b}":
        if result is not None:
            result = _sum(result, result)
        if bit == "1":
            result = point if result is None else _sum(result, point)
    assert result is not None
    return result


def _sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    p = P256.p
    if one == other:
        slope = (3 * one[0] ** 2 + P256.a) * pow(2 * one[1], -1, p) % p
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, p) % p
    x = (slope**2 - one[0] - other[0]) % p
    return x, (slope * (one[0] - x) - one[1]) % p


@pytest.mark.parametrize("pseudonym", [b"", bytes(31), bytes(33), b"\xff" * 32])
def test_what_is_no_pseudonym_is_refused(pseudonym: bytes) -> None:
    key = PseudonymKey.from_secret(bytes(32))
    with pytest.raises(PseudonymError) as caught:
        rekeyed(pseudonym, key)
    assert caught.value.code == "journal.pseudonym-malformed"


@pytest.mark.parametrize("release", [b"", bytes(32), P256.n.to_bytes(32, "big"), bytes(31)])
def test_what_is_no_factor_is_refused(release: bytes) -> None:
    with pytest.raises(PseudonymError):
        PseudonymKey.from_secret(bytes(32)).after(release)


def test_no_key_stands_in_its_own_repr() -> None:
    key = PseudonymKey.from_secret(bytes(range(32)))
    assert "_factor" not in repr(key)
