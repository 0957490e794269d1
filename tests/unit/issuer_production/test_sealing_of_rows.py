import contextlib
import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.db.card_contents import CardContents
from issuer.db.sealing import Sealer
from issuer.domain.member import PortraitDigest
from issuer.errors import IssuerUnavailableError
from issuer.services.signing_values import KeptPicture


def no_picture(digest: PortraitDigest) -> bytes:
    raise AssertionError(digest)


SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(32))


@given(st.binary(max_size=100), st.binary(max_size=20))
def test_what_is_sealed_opens_in_its_own_row(plain: bytes, row: bytes) -> None:
    sealed = SEALER.seal(plain, purpose="card secrets", row=row)
    assert SEALER.open(sealed, purpose="card secrets", row=row) == plain


@pytest.mark.parametrize(
    ("purpose", "row", "key"),
    [
        ("card contents", b"row", bytes(range(32))),
        ("card secrets", b"other", bytes(range(32))),
        ("card secrets", b"row", bytes(32)),
    ],
)
def test_it_opens_under_no_other_purpose_row_or_key(purpose: str, row: bytes, key: bytes) -> None:
    sealed = SEALER.seal(b"plain", purpose="card secrets", row=b"row")
    with pytest.raises(IssuerUnavailableError) as caught:
        Sealer(encryption_key=key, digest_key=bytes(32)).open(sealed, purpose=purpose, row=row)
    assert caught.value.code == "production.seal-broken"


@given(st.binary(max_size=60))
def test_any_bytes_that_were_not_sealed_are_refused(sealed: bytes) -> None:
    with pytest.raises(IssuerUnavailableError):
        SEALER.open(sealed, purpose="card secrets", row=b"row")


def test_the_same_secret_sealed_twice_looks_different_and_has_one_digest() -> None:
    first = SEALER.seal(b"plain", purpose="card secrets", row=b"row")
    assert first != SEALER.seal(b"plain", purpose="card secrets", row=b"row")
    assert b"plain" not in first
    digest = SEALER.digest("ABC123XYZ", purpose="document number")
    assert digest == SEALER.digest("ABC123XYZ", purpose="document number")
    assert digest != SEALER.digest("ABC123XYZ", purpose="another")
    assert digest != SEALER.digest("ABC123XY0", purpose="document number")


@given(
    st.text("ABC0123456789<", min_size=1, max_size=24),
    st.dictionaries(
        st.text("EF.DGCOMS/0123456789", min_size=1, max_size=11), st.binary(max_size=300)
    ),
)
def test_contents_survive_their_encoding(information: str, files: dict[str, bytes]) -> None:
    contents = CardContents(mrz_information=information, files=files)
    assert CardContents.from_bytes(contents.to_bytes(), no_picture) == contents


@given(st.binary(max_size=60), st.binary(min_size=1, max_size=300), st.binary(max_size=30))
def test_a_picture_is_named_and_not_kept(head: bytes, image: bytes, other: bytes) -> None:
    picture = KeptPicture(digest=PortraitDigest(hashlib.sha256(image).digest()), image=image)
    files = {"EF.DG1": other, "EF.DG2": head + image}
    contents = CardContents(mrz_information="0" * 24, files=files)
    encoded = contents.to_bytes(picture)
    assert CardContents.from_bytes(encoded, {picture.digest: image}.__getitem__) == contents
    if len(image) > 64:
        assert image not in encoded
    # One that ends otherwise is kept whole.
    elsewhere = replace(contents, files={"EF.DG2": image + b"\x00" + other + b"\x01"})
    if not elsewhere.files["EF.DG2"].endswith(image):
        assert CardContents.from_bytes(elsewhere.to_bytes(picture), no_picture) == elsewhere


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_contents_with_one_byte_wrong_are_read_or_refused(place: int, change: int) -> None:
    picture = KeptPicture(digest=PortraitDigest(bytes(32)), image=b"picture")
    files = {"EF.DG1": b"one", "EF.DG2": b"a picture"}
    sound = CardContents(mrz_information="0" * 24, files=files).to_bytes(picture)
    damaged = bytearray(sound)
    damaged[place % len(sound)] ^= change
    asked: list[PortraitDigest] = []

    def picture_of(digest: PortraitDigest) -> bytes:
        asked.append(digest)
        return picture.image

    with contextlib.suppress(IssuerUnavailableError):
        accepted = CardContents.from_bytes(bytes(damaged), picture_of)
        # What is read is what stands there.
        again = [KeptPicture(digest=each, image=picture.image) for each in asked]
        assert accepted.to_bytes(*again) == damaged
    assert {len(each) for each in asked} <= {32}


def test_a_digest_of_another_length_names_no_picture() -> None:
    picture = KeptPicture(digest=PortraitDigest(bytes(31)), image=b"picture")
    contents = CardContents(mrz_information="0" * 24, files={"EF.DG2": b"a picture"})
    with pytest.raises(IssuerUnavailableError) as caught:
        CardContents.from_bytes(contents.to_bytes(picture), lambda _: b"picture")
    assert caught.value.code == "production.contents-damaged"


@given(st.binary(max_size=200))
def test_any_bytes_are_contents_or_refused(encoded: bytes) -> None:
    try:
        accepted = CardContents.from_bytes(encoded, no_picture)
    except IssuerUnavailableError:
        return
    assert accepted.to_bytes() == encoded


@given(st.lists(st.tuples(st.none() | st.text(max_size=20), st.binary(max_size=16)), max_size=8))
def test_a_column_sealed_at_once_opens_value_by_value(
    values: list[tuple[str | None, bytes]],
) -> None:
    rows = [row for _, row in values]
    sealed = SEALER.seal_all((text for text, _ in values), purpose="phones", rows=rows)
    assert [
        None if each is None else SEALER.open(each, purpose="phones", row=row).decode()
        for each, row in zip(sealed, rows, strict=True)
    ] == [text for text, _ in values]
    nonces = [each[:12] for each in sealed if each is not None]
    assert len(set(nonces)) == len(nonces)
