"""Units LDS_E, F and L: EF.DG14, EF.CVCA and EF.ATR/INFO as a terminal reads them (TR-03110-3, A.1; ISO/IEC 7816-4, 12.7).

Every case finds nothing in the right file, and something in one that is wrong in just what the case is about.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from random import Random
from typing import Final

from chip_vectors.bench import OK, Bench, Case
from chip_vectors.documents import (
    CAN_TEXT,
    DG14_FILE,
    EF_CVCA,
    ROOT,
    document,
    read_to_end,
    trust_point_file,
    with_content,
)
from chip_vectors.driver import APPLICATION, require

from card_layout import tlv
from simulators.authority import TestAuthority
from simulators.image import CardImage, file_path
from simulators.issued_image import issue_image
from simulators.population.member import draw_member
from simulators.testing import TEST_TIME

_ATR_INFO_PATH: Final = "3F00/2F01"
_ATR_INFO: Final = 0x2F01


class StructureError(Exception):
    """The file is wrong for the reason that the check is about."""


_TERMINAL_AUTHENTICATION = bytes.fromhex("060804007F0007020202")


def _read_infos(image: CardImage) -> list[tlv.Tlv]:
    bench = Bench(image).open()
    content = tlv.parse(read_to_end(bench.terminal, DG14_FILE), expected_tag=0x6E).value
    return list(tlv.parse(content, expected_tag=0x31).children())


def _terminal_infos(image: CardImage) -> list[tuple[tlv.Tlv, ...]]:
    found = [info.children() for info in _read_infos(image)]
    return [parts for parts in found if parts[0].to_bytes() == _TERMINAL_AUTHENTICATION]


def _check_version(image: CardImage) -> None:
    """One info, a SEQUENCE that begins with identifier and version 1 (TR-03110-3, A.1.1.3)."""
    infos = _terminal_infos(image)
    _must(len(infos) == 1)
    _must(len(infos[0]) >= 2 and infos[0][1].to_bytes() == b"\x02\x01\x01")


def _check_file_reference(image: CardImage) -> None:
    """Where it names EF.CVCA, it names the file that is there: FID, and SFI where given."""
    for info in _terminal_infos(image):
        _must(2 <= len(info) <= 3)
        for reference in info[2:]:
            _must(reference.tag == 0x30)
            parts = reference.children()
            _must([part.tag for part in parts] in ([0x04], [0x04, 0x04]))
            _must(parts[0].value == EF_CVCA.to_bytes(2, "big"))
            _must(all(part.value == bytes((EF_CVCA & 0x1F,)) for part in parts[1:]))


def _must(condition: bool) -> None:  # noqa: FBT001 -- one fact
    if not condition:
        raise StructureError


def _with_terminal_info(*contents: str) -> CardImage:
    """A card with other infos for terminal authentication; each content stands behind the identifier."""
    image = document()
    content = image.files[file_path(APPLICATION, DG14_FILE)].data
    infos = tlv.parse(tlv.parse(content).value).children()
    kept = [item.to_bytes() for item in infos if _TERMINAL_AUTHENTICATION not in item.to_bytes()]
    added = [
        tlv.encode(0x30, _TERMINAL_AUTHENTICATION + bytes.fromhex(content)) for content in contents
    ]
    changed = tlv.encode(0x6E, tlv.encode(0x31, b"".join(sorted(kept + added))))
    return with_content(image, DG14_FILE, changed)


def _security_info(
    check: Callable[[CardImage], None], right: Iterable[CardImage], wrong: Iterable[CardImage]
) -> Callable[[], None]:
    def run() -> None:
        for image in right:
            check(image)
        for image in wrong:
            try:
                check(image)
            except StructureError:
                continue
            raise AssertionError("a wrong SecurityInfo was not told")

    return run


def _trust_point_content() -> None:
    """36 bytes; one or two references of at most 16 bytes, then zeros; a chain can begin under each."""
    content = read_to_end(Bench().open().terminal, EF_CVCA)
    assert len(content) == 36
    references: list[bytes] = []
    rest = content
    while rest[:1] == b"\x42":
        size = rest[1]
        assert 8 <= size <= 16
        references.append(rest[2 : 2 + size])
        rest = rest[2 + size :]
    assert not any(rest)
    assert references == [ROOT.reference]
    bench = Bench().start()
    for reference in references:
        require(bench.terminal.set_trust_point(reference), OK)
    assert content == trust_point_file(*references)


@cache
def _issued() -> CardImage:
    """A card as it is issued, with the EF.ATR/INFO of its profile."""
    return issue_image(
        draw_member(Random(3), serial_number=3),
        authority=TestAuthority.create(now=TEST_TIME),
        random=Random(3),
        can=CAN_TEXT,
    )


def _read_atr_info(image: CardImage) -> bytes:
    """In plain, right after the reset."""
    bench = Bench(image)
    return read_to_end(bench.terminal, _ATR_INFO)


def _objects(content: bytes) -> dict[int, tlv.Tlv]:
    try:
        parts = tlv.parse_all(content)
    except tlv.TlvError as error:
        raise StructureError from error
    _must(bool(parts) and len({part.tag for part in parts}) == len(parts))
    return {part.tag: part for part in parts}


def _check_objects(content: bytes) -> None:
    _objects(content)


def _check_extended_lengths(content: bytes) -> None:
    _must(0x7F66 in _objects(content))


def _check_two_integers(content: bytes) -> None:
    """At least the longest short APDUs, at most the longest extended ones."""
    _check_extended_lengths(content)
    try:
        parts = _objects(content)[0x7F66].children()
    except tlv.TlvError as error:
        raise StructureError from error
    _must([part.tag for part in parts] == [0x02, 0x02])
    for part, least in zip(parts, (261, 258), strict=True):
        _must(1 <= len(part.value) <= 4 and not part.value[0] & 0x80)
        _must(least <= int.from_bytes(part.value, "big") <= 65544)


def _check_chaining(content: bytes) -> None:
    """Bit 8 of the third byte of the software function table (ISO/IEC 7816-4, table 119)."""
    capabilities = _objects(content).get(0x47)
    _must(capabilities is not None and len(capabilities.value) == 3)
    _must(capabilities is not None and bool(capabilities.value[2] & 0x80))


def _atr_info(check: Callable[[bytes], None], *wrong: str) -> Callable[[], None]:
    def run() -> None:
        for image in (_issued(), document()):
            check(_read_atr_info(image))
        image = document()
        for content in wrong:
            changed = bytes.fromhex(content)
            file = replace(image.files[_ATR_INFO_PATH], data=changed, capacity=len(changed))
            found = _read_atr_info(image.with_file(_ATR_INFO_PATH, file))
            assert found == changed
            try:
                check(found)
            except StructureError:
                continue
            raise AssertionError("a wrong EF.ATR/INFO was not told")

    return run


def _lengths_are_true() -> None:
    """What EF.ATR/INFO announces the card takes and gives, and not a byte more."""
    _atr_info(
        _check_two_integers, "47039421C0", "47039421C07F660402021000", "7F6608020210000202FFFF"
    )()
    bench = Bench(_issued())
    parts = _objects(_read_atr_info(_issued()))[0x7F66].children()
    command, response = (int.from_bytes(part.value, "big") for part in parts)
    card = bench.card
    longest = bytes.fromhex("00D60000") + b"\x00" + (command - 7).to_bytes(2, "big")
    assert card.process(longest + bytes(command - 7)) == b"\x6d\x00"
    longer = bytes.fromhex("00D60000") + b"\x00" + (command - 6).to_bytes(2, "big")
    assert card.process(longer + bytes(command - 6)) == b"\x67\x00"
    bench.terminal.open_with_pace(CAN_TEXT.encode())
    require(bench.terminal.select_application(), OK)
    require(bench.terminal.select_file(0x0102), OK)
    answer = bench.terminal.send("00B00000", le=65536)
    assert response - 48 <= len(answer.data) < response
    assert answer.status == OK


def _chaining_is_true() -> None:
    """What is announced works: SELECT in two parts."""
    _atr_info(_check_chaining, "4703942140", "47029421", "7F66080202100002021000")()
    card = Bench().card
    assert card.process(bytes.fromhex("10A4040C04A0000002")) == b"\x90\x00"
    assert card.process(bytes.fromhex("00A4040C03471001")) == b"\x90\x00"


def _access() -> None:
    """In the master file, in plain and in a session, selected or by its short identifier; not in the application."""
    for is_open in (False, True):
        bench = Bench()
        if is_open:
            bench.terminal.open_with_pace(CAN_TEXT.encode())
        expected = bench.card.image.files[_ATR_INFO_PATH].data
        assert read_to_end(bench.terminal, _ATR_INFO) == expected
        for answer in (bench.terminal.read_short(0x01), bench.terminal.send("00B00000", le=256)):
            assert require(answer, OK).data == expected
            assert answer.is_protected is is_open
        require(bench.terminal.select_application(), OK)
        require(bench.terminal.select_file(_ATR_INFO), 0x6A82)
        require(bench.terminal.select_master_file(), OK)
        assert read_to_end(bench.terminal, _ATR_INFO) == expected


CASES = (
    Case(
        id="LDS_E_2",
        shows="EF.DG14 holds one TerminalAuthenticationInfo with its identifier and version 1",
        run=_security_info(
            _check_version,
            (document(), _with_terminal_info("02010130070402011C04011C")),
            (
                _with_terminal_info(),
                _with_terminal_info("020102"),
                _with_terminal_info("040101"),
                _with_terminal_info("020101", "02010130040402011C"),
            ),
        ),
    ),
    Case(
        id="LDS_E_5",
        shows="where TerminalAuthenticationInfo names EF.CVCA, it names the file and short identifier that are there",
        run=_security_info(
            _check_file_reference,
            (
                document(),
                _with_terminal_info("02010130040402011C"),
                _with_terminal_info("02010130070402011C04011C"),
            ),
            (
                _with_terminal_info("02010130040402011D"),
                _with_terminal_info("02010130070402011C04011D"),
                _with_terminal_info("0201010402011C"),
                _with_terminal_info("0201013000"),
                _with_terminal_info("02010130040402011C020100"),
            ),
        ),
    ),
    Case(
        id="LDS_F_1",
        shows="EF.CVCA has 36 bytes: the reference of the trust point, under which a chain begins, and zeros",
        run=_trust_point_content,
    ),
    Case(
        id="LDS_L_1",
        shows="EF.ATR/INFO is a list of whole data objects, each once",
        run=_atr_info(_check_objects, "47039421", "4703942180FF", "47039421804703942180", "80"),
    ),
    Case(
        id="LDS_L_2",
        shows="EF.ATR/INFO holds the object of extended lengths",
        run=_atr_info(_check_extended_lengths, "47039421C0", "47039421C07F67080202100002021000"),
    ),
    Case(
        id="LDS_L_3",
        shows="the object of extended lengths holds two true lengths: the card takes and gives so much, and no more",
        run=_lengths_are_true,
    ),
    Case(
        id="LDS_L_4",
        shows="the card capabilities announce chaining, and chains are taken",
        run=_chaining_is_true,
    ),
    Case(
        id="LDS_L_5",
        shows="EF.ATR/INFO is read in the master file, in plain and in a session, and not in the application",
        run=_access,
    ),
)
