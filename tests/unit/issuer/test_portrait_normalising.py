"""Portraits: what a card holds, made of what strangers send."""

import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from issuer.errors import IssuerDataError, IssuerUnavailableError
from issuer.portraits.bounds import PortraitBounds
from issuer.portraits.folder_source import MAX_PICTURE_BYTES, FolderPortraitSource
from issuer.portraits.normalising import normalise_portrait
from issuer.portraits.process_normaliser import ProcessPortraitNormaliser

BOUNDS = PortraitBounds(min_bytes=12_000, max_bytes=20_000)


def picture(
    width: int = 600, height: int = 800, *, form: str = "JPEG", mode: str = "RGB", **saving: object
) -> bytes:
    noise = Random(7).randbytes(60 * 80 * 3)
    image = Image.frombytes("RGB", (60, 80), noise).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    image = image.filter(ImageFilter.GaussianBlur(2)).convert(mode)
    output = io.BytesIO()
    image.save(output, form, **saving)
    return output.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that announces any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


@pytest.fixture(scope="module")
def normaliser() -> Iterator[ProcessPortraitNormaliser]:
    with ProcessPortraitNormaliser(BOUNDS) as started:
        yield started


@pytest.mark.parametrize(
    "given_picture",
    [
        picture(),
        picture(2400, 3200),
        picture(1000, 400),
        picture(400, 1000),
        picture(240, 320),
        picture(form="PNG"),
        picture(form="PNG", mode="RGBA"),
        picture(form="PNG", mode="P"),
        picture(form="PNG", mode="LA"),
        picture(mode="CMYK"),
        picture(mode="L"),
    ],
)
def test_every_picture_becomes_a_jpeg_of_three_by_four_within_the_bounds(
    normaliser: ProcessPortraitNormaliser, given_picture: bytes
) -> None:
    found = normaliser.normalise(given_picture)
    portrait = found.image
    assert BOUNDS.min_bytes <= len(portrait) <= BOUNDS.max_bytes
    with Image.open(io.BytesIO(portrait)) as image:
        assert image.format == "JPEG"
        assert image.mode == "RGB"
        assert image.width * 4 == image.height * 3
        assert not image.getexif()
    assert normalise_portrait(given_picture, BOUNDS) == found


def test_a_picture_that_lies_on_its_side_is_set_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    source = Image.new("RGB", (800, 600), "blue")
    source.paste((255, 0, 0), (0, 0, 400, 600))
    noise = Image.frombytes("L", (800, 600), Random(1).randbytes(480_000)).point(lambda v: v // 4)
    source = Image.composite(Image.new("RGB", source.size, "white"), source, noise)
    output = io.BytesIO()
    source.save(output, "JPEG", exif=exif)
    with Image.open(io.BytesIO(normalise_portrait(output.getvalue(), BOUNDS).image)) as image:
        top, bottom = image.getpixel((240, 20)), image.getpixel((240, 620))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[0] > top[2]
    assert bottom[2] > bottom[0]


def refusal_code(normaliser: ProcessPortraitNormaliser, content: bytes) -> str:
    with pytest.raises(IssuerDataError) as refusal:
        normaliser.normalise(content)
    return refusal.value.code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "portrait.unreadable"),
        (b"\xff\xd8\xff", "portrait.unreadable"),
        (b"GIF89a" + bytes(100), "portrait.unreadable"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "portrait.unreadable"),
        (picture()[:5_000], "portrait.unreadable"),
        (picture(form="PNG")[:5_000], "portrait.unreadable"),
        (picture(form="TIFF"), "portrait.unreadable"),
        (picture(form="WEBP"), "portrait.unreadable"),
        (png_header(600, 800), "portrait.unreadable"),
        (png_header(50_000, 50_000), "portrait.too-many-pixels"),
        (png_header(2**31 - 1, 2**31 - 1), "portrait.too-many-pixels"),
        (png_header(0, 0), "portrait.unreadable"),
        (picture(239, 320), "portrait.too-small"),
    ],
)
def test_what_is_no_portrait_is_refused(
    normaliser: ProcessPortraitNormaliser, content: bytes, code: str
) -> None:
    assert refusal_code(normaliser, content) == code


def test_a_picture_of_nothing_has_too_little_detail(normaliser: ProcessPortraitNormaliser) -> None:
    output = io.BytesIO()
    Image.new("RGB", (600, 800), "white").save(output, "PNG")
    assert refusal_code(normaliser, output.getvalue()) == "portrait.too-little-detail"


def test_a_picture_that_takes_too_long_is_refused_and_the_next_one_is_not() -> None:
    with ProcessPortraitNormaliser(BOUNDS, seconds=0.001) as hasty:
        assert refusal_code(hasty, picture()) == "portrait.time-limit"
        hasty._seconds = 20.0
        assert hasty.normalise(picture())


def test_a_picture_that_ends_the_worker_is_refused_and_the_next_one_is_not() -> None:
    with ProcessPortraitNormaliser(BOUNDS) as normaliser:
        assert normaliser.normalise(picture())
        worker = normaliser._process
        assert worker is not None
        worker.kill()
        worker.wait()
        assert refusal_code(normaliser, picture()) == "portrait.unreadable"
        assert normaliser.normalise(picture())


def test_a_closed_normaliser_leaves_no_process() -> None:
    normaliser = ProcessPortraitNormaliser(BOUNDS)
    normaliser.close()
    normaliser.normalise(picture())
    worker = normaliser._process
    assert worker is not None
    normaliser.close()
    assert worker.returncode is not None


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_picture_with_changed_bytes_is_a_portrait_or_refused(
    normaliser: ProcessPortraitNormaliser, data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(_SMALL)))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        portrait = normaliser.normalise(bytes(content)).image
    except IssuerDataError as error:
        assert error.code.startswith("portrait.")  # noqa: PT017 - most, but not all changes are found
    else:
        assert BOUNDS.min_bytes <= len(portrait) <= BOUNDS.max_bytes


_SMALL = (picture(240, 320), picture(240, 320, form="PNG"), picture(240, 320, progressive=True))


def test_a_folder_gives_the_picture_in_either_form_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "Hoa\u0300.jpg").write_bytes(b"decomposed")
    (tmp_path / "Hu\u1ebf.jpg").write_bytes(b"composed")
    source = FolderPortraitSource(tmp_path)
    assert source.read("Ho\u00e0.jpg") == b"decomposed"
    assert source.read("Hue\u0302\u0301.jpg") == b"composed"


def test_a_folder_gives_nothing_but_its_own_files(tmp_path: Path) -> None:
    folder = tmp_path / "portraits"
    folder.mkdir()
    (tmp_path / "outside.jpg").write_bytes(b"secret")
    (folder / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "inner").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "large.jpg").touch()
    os.truncate(folder / "large.jpg", MAX_PICTURE_BYTES + 1)
    source = FolderPortraitSource(folder)
    for name, code in (
        ("../outside.jpg", "portrait.name"),
        ("..", "portrait.name"),
        ("", "portrait.name"),
        ("nul\0", "portrait.name"),
        ("link.jpg", "portrait.unreadable"),
        ("inner", "portrait.unreadable"),
        ("pipe.jpg", "portrait.unreadable"),
        ("large.jpg", "portrait.too-large"),
        ("missing.jpg", "portrait.missing"),
        ("x" * 300, "portrait.unreadable"),
    ):
        with pytest.raises(IssuerDataError) as refusal:
            source.read(name)
        assert refusal.value.code == code, name


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(IssuerUnavailableError) as refusal:
        FolderPortraitSource(tmp_path / "missing")
    assert refusal.value.code == "portraits.unavailable"


def test_bounds_that_nothing_can_keep_are_refused() -> None:
    with pytest.raises(IssuerDataError):
        PortraitBounds(min_bytes=20, max_bytes=10)
