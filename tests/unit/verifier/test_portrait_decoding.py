"""The portrait is decoded in another process, within bounds."""

import io

import pytest
from PIL import Image

from card_layout.files.data_group_2 import Portrait
from verifier.errors import VerifierError
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.portrait_decoding import PortraitError, decode_portrait


def encoded(size: tuple[int, int], image_format: str, **options: object) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", size, (10, 20, 30)).save(output, format=image_format, **options)
    return output.getvalue()


def test_the_portrait_of_a_card_becomes_a_png_of_its_size(accepted_snapshot: CardSnapshot) -> None:
    portrait = Portrait.from_bytes(accepted_snapshot.content("EF.DG2") or b"")
    with Image.open(io.BytesIO(decode_portrait(portrait.image))) as picture:
        assert picture.format == "PNG"
        assert picture.size == (portrait.width, portrait.height)


def test_jpeg_2000_is_decoded_too() -> None:
    with Image.open(io.BytesIO(decode_portrait(encoded((30, 40), "JPEG2000")))) as picture:
        assert picture.size == (30, 40)


def test_nothing_but_pixels_is_carried_over() -> None:
    png = decode_portrait(encoded((30, 40), "JPEG", comment=b"remember me", dpi=(300, 300)))
    assert b"remember me" not in png
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.info == {}


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"\xff\xd8\xff\xe0 rubbish",
        encoded((30, 40), "PNG"),
        encoded((30, 40), "JPEG")[:-300],
        encoded((2001, 2000), "JPEG", quality=1),
        bytes(70_000),
    ],
    ids=["empty", "rubbish", "another format", "cut short", "too many pixels", "too long"],
)
def test_what_is_no_portrait_is_an_error_with_its_code(image: bytes) -> None:
    with pytest.raises(VerifierError) as caught:
        decode_portrait(image)
    assert caught.value.code == "portrait.unreadable"


def test_a_decoder_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(PortraitError, match="takes longer"):
        decode_portrait(encoded((30, 40), "JPEG"), max_seconds=0.001)
