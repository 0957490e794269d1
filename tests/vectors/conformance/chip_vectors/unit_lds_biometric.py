"""Units LDS_G and LDS_H: EF.DG3 and EF.DG4 as a terminal reads them, each checked for one thing (9303-10, 4.7.3).

Every case reads the right file over the air, finds nothing, and then reads the file of a card that is wrong in just
that: a check that finds nothing there is no check.
"""

from collections.abc import Callable, Iterable

from chip_vectors import biometric_files as biometric
from chip_vectors.bench import Bench, Case
from chip_vectors.biometric_files import (
    FINGER_TAG,
    FORMATS,
    IRIS_TAG,
    StructureError,
    group,
    header,
    template,
    wrap,
)
from chip_vectors.documents import (
    DG3_FILE,
    DG4_FILE,
    document,
    hierarchy,
    read_to_end,
    with_content,
)

from card_layout import tlv

_CHAIN = (hierarchy().verifier, hierarchy().terminal)
_FILES = {FINGER_TAG: DG3_FILE, IRIS_TAG: DG4_FILE}
_NAMES = {FINGER_TAG: "EF.DG3", IRIS_TAG: "EF.DG4"}
_SUBTYPE = {FINGER_TAG: 0x09, IRIS_TAG: 0x01}


def _read_gated(identifier: int, data: bytes | None) -> bytes:
    """A file that needs a terminal, byte by byte as long as the card gives some; ``data`` replaces its content."""
    image = document()
    if data is not None:
        image = with_content(image, identifier, data)
    bench = Bench(image).start().prove_terminal(*_CHAIN)
    return read_to_end(bench.terminal, identifier)


def _is_refused(check: biometric.Check, data: bytes, tag: int) -> bool:
    try:
        check(data, tag)
    except StructureError:
        return True
    return False


def _biometric(
    case_id: str,
    tag: int,
    check: biometric.Check,
    shows: str,
    wrong: Callable[[int], Iterable[bytes]],
    *,
    before: biometric.Check | None = None,
) -> Case:
    """``before`` is the check of the case before this one, which finds nothing in what is wrong here."""

    def run() -> None:
        check(_read_gated(_FILES[tag], None), tag)
        samples = tuple(wrong(tag))
        assert samples
        for data in samples:
            found = _read_gated(_FILES[tag], data)
            assert found == data
            if before is not None:
                before(found, tag)
            assert _is_refused(check, found, tag)

    return Case(id=case_id, shows=f"{_NAMES[tag]} on the card: {shows}", run=run)


# What is wrong in each, for both kinds of file.


def _right(tag: int) -> bytes:
    return biometric.data_group(tag, _SUBTYPE[tag])


def _wrong_tag(tag: int) -> Iterable[bytes]:
    right = _right(tag)
    yield bytes((0x75,)) + right[1:]


def _wrong_length(tag: int) -> Iterable[bytes]:
    value = tlv.parse(_right(tag)).value
    head = bytes((tag,))
    yield head + b"\x82" + (len(value) + 1).to_bytes(2, "big") + value
    yield head + b"\x82" + (len(value) - 1).to_bytes(2, "big") + value
    yield head + b"\x83" + len(value).to_bytes(3, "big") + value
    yield head + b"\x80" + value


def _wrong_group(tag: int) -> Iterable[bytes]:
    content = group(template(tag, header(tag, _SUBTYPE[tag])))
    yield tlv.encode(tag, tlv.encode(0x7F60, content))
    yield tlv.encode(tag, tlv.encode(0x7F61, content) * 2)
    yield tlv.encode(tag, tlv.encode(0x7F61, content)[:-1])


def _wrong_number(tag: int) -> Iterable[bytes]:
    item = template(tag, header(tag, _SUBTYPE[tag]))
    for content in (
        group(item, number=2),
        group(item, number=0),
        tlv.encode(0x7F60, item),
        tlv.encode(0x02, b"\x00\x01") + tlv.encode(0x7F60, item),
        tlv.encode(0x7F60, item) + tlv.encode(0x02, b"\x01"),
    ):
        yield tlv.encode(tag, tlv.encode(0x7F61, content))


def _wrong_template(tag: int) -> Iterable[bytes]:
    item = template(tag, header(tag, _SUBTYPE[tag]))
    yield tlv.encode(tag, tlv.encode(0x7F61, group(item, template_tag=0x7F62)))


def _wrong_header(tag: int) -> Iterable[bytes]:
    right = header(tag, _SUBTYPE[tag])
    block = tlv.encode(0x5F2E, FORMATS[tag][1] + b"010\x00")
    for item in (
        tlv.encode(0xA2, right) + block,
        block + tlv.encode(0xA1, right),
        block,
        tlv.encode(0xA1, right + tlv.encode(0x89, b"\x00")) + block,
        tlv.encode(0xA1, right + tlv.encode(0x88, FORMATS[tag][0])) + block,
    ):
        yield wrap(tag, item)


def _wrong_owner(tag: int) -> Iterable[bytes]:
    for owner in (None, b"\x01\x02", b"\x01"):
        yield wrap(tag, template(tag, header(tag, _SUBTYPE[tag], owner=owner)))


def _wrong_type(tag: int) -> Iterable[bytes]:
    for kind in (b"", b"\x00\x08", b"\x07"):
        yield wrap(tag, template(tag, header(tag, _SUBTYPE[tag], format_type=kind)))


def _wrong_subtype(tag: int) -> Iterable[bytes]:
    for subtype in (0x03, 0xFF) if tag == IRIS_TAG else (None, 0x00, 0xFF):
        yield wrap(tag, template(tag, header(tag, subtype)))


def _wrong_block(tag: int) -> Iterable[bytes]:
    right = header(tag, _SUBTYPE[tag])
    yield wrap(tag, template(tag, right, block_tag=0x5F2F))
    yield wrap(tag, tlv.encode(0xA1, right) + tlv.encode(0x5F2E, b""))
    yield wrap(tag, tlv.encode(0xA1, right))


def _wrong_consistency(tag: int) -> Iterable[bytes]:
    right = header(tag, _SUBTYPE[tag])
    for identifier in (
        b"FAC\x00",
        next(begin for _, begin in FORMATS.values() if begin != FORMATS[tag][1]),
    ):
        yield wrap(tag, template(tag, right, identifier=identifier))


def _second_template(tag: int) -> Iterable[bytes]:
    """The first template right, the second wrong in one thing."""
    first = template(tag, header(tag, _SUBTYPE[tag]))
    for second in (
        tlv.encode(0xA1, header(tag, _SUBTYPE[tag])),
        template(tag, header(tag, _SUBTYPE[tag], owner=None)),
        template(tag, header(tag, _SUBTYPE[tag], format_type=b"\x00\x08")),
        template(tag, header(tag, 0xFF)),
        template(tag, header(tag, _SUBTYPE[tag]), block_tag=0x5F2F),
        template(tag, header(tag, _SUBTYPE[tag]), identifier=b"FAC\x00"),
    ):
        yield wrap(tag, first, second)


def _check_all(data: bytes, tag: int) -> None:
    for check in (
        biometric.check_template,
        biometric.check_header,
        biometric.check_owner,
        biometric.check_type,
        biometric.check_subtype,
        biometric.check_block,
        biometric.check_consistency,
    ):
        check(data, tag)


_STEPS = (
    (1, biometric.check_tag, "its template's tag begins it", _wrong_tag),
    (2, biometric.check_length, "its length is in the shortest form and fills it", _wrong_length),
    (3, biometric.check_group, "one biometric information group template fills it", _wrong_group),
    (4, biometric.check_number, "the number of instances comes first and is true", _wrong_number),
    (5, biometric.check_template, "every instance is an information template", _wrong_template),
    (6, biometric.check_header, "every template begins with one header in order", _wrong_header),
    (7, biometric.check_owner, "the format's owner is there and right", _wrong_owner),
    (8, biometric.check_type, "the format type is that of its pictures", _wrong_type),
    (9, biometric.check_subtype, "the subtype names one finger or eye", _wrong_subtype),
    (10, biometric.check_block, "the data block stands under its tag", _wrong_block),
    (11, biometric.check_consistency, "block and header name one format", _wrong_consistency),
)


def _unit(letter: str, tag: int) -> tuple[Case, ...]:
    return tuple(
        _biometric(
            f"LDS_{letter}_{number}",
            tag,
            check,
            shows,
            wrong,
            before=_STEPS[number - 2][1] if number > 1 else None,
        )
        for number, check, shows, wrong in _STEPS
    )


CASES = (
    *_unit("G", FINGER_TAG),
    *_unit("H", IRIS_TAG),
    _biometric(
        "LDS_G_05",
        FINGER_TAG,
        _check_all,
        "everything from the template on holds for every template, not for the first alone",
        _second_template,
    ),
)
