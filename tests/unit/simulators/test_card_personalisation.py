"""The commands of dialect native on the card, state by state (SPEC.md, 6 and 8.3), without the channel around them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from card_layout import tlv
from card_layout.atr import LifeCycle, read_life_cycle
from card_layout.curves import NamedCurve
from simulators.card.aes import encrypt_block, encrypt_cbc
from simulators.card.command import Command
from simulators.card.file_system import Selection
from simulators.card.personalisation import Memory, carry_out
from simulators.card.points import Point
from simulators.card.status import Refused
from simulators.image import CardImage, ImageFile, Keys, ReadRule, Secrets

Maker = Callable[..., CardImage]
AID = bytes.fromhex("A0000002471001")
DEK = b"d" * 16
STATES = [
    LifeCycle.BLANK,
    LifeCycle.INITIALISED,
    LifeCycle.PERSONALISING,
    LifeCycle.PERSONALISED,
]
REFERENCE = b"r" * 16
PASSWORDS = tlv.encode(0xA0, tlv.encode(0x81, b"T22000129364081251010318") + b"\x82\x06654321")


def run(memory: Memory, header: str, data: bytes = b"") -> Memory:
    ins, p1, p2 = bytes.fromhex(header)
    command = Command(cla=0x84, ins=ins, p1=p1, p2=p2, data=data)
    return carry_out(command, memory, dek=DEK, random=lambda size: b"\x17" * size)


def refused(memory: Memory, header: str, data: bytes = b"") -> int:
    with pytest.raises(Refused) as caught:
        run(memory, header, data)
    return caught.value.status_word


def at(image: CardImage, application: bytes | None = None, file: str | None = None) -> Memory:
    return Memory(image=image, selection=Selection(application=application, file=file))


def create_file(
    identifier: int = 0x0101,
    sfi: int = 1,
    capacity: int = 100,
    rules: str = "0110",
) -> bytes:
    parts = (
        tlv.encode(0x82, b"\x01")
        + tlv.encode(0x83, identifier.to_bytes(2, "big"))
        + tlv.encode(0x88, bytes((8 * sfi,)))
        + tlv.encode(0x80, capacity.to_bytes(2, "big"))
        + tlv.encode(0x86, bytes.fromhex(rules))
    )
    return tlv.encode(0x62, parts)


def create_application(aid: bytes = AID, identifier: int = 0x0100) -> bytes:
    parts = (
        tlv.encode(0x82, b"\x38")
        + tlv.encode(0x83, identifier.to_bytes(2, "big"))
        + tlv.encode(0x84, aid)
    )
    return tlv.encode(0x62, parts)


def put_key(version: int = 0x30, dek: bytes = DEK, check: bytes | None = None) -> bytes:
    data = bytes((version,))
    for key in (b"1" * 16, b"2" * 16, b"3" * 16):
        value = encrypt_block(key, b"\x01" * 16)[:3] if check is None else check
        data += b"\x88\x11\x10" + encrypt_cbc(dek, key) + b"\x03" + value
    return data


GENERATE = tlv.encode(
    0xA6, tlv.encode(0x06, NamedCurve.SECP256R1.oid_bytes) + tlv.encode(0x84, b"\x01")
)


@pytest.mark.parametrize(
    ("header", "data", "allowed"),
    [
        ("D8FF81", put_key(), {LifeCycle.BLANK}),
        ("E00000", create_file(), {LifeCycle.BLANK}),
        ("E00000", create_application(), {LifeCycle.BLANK}),
        ("478000", GENERATE, {LifeCycle.BLANK}),
        ("DA0102", REFERENCE, {LifeCycle.INITIALISED, LifeCycle.PERSONALISING}),
        ("CA0102", b"", set(STATES) - {LifeCycle.BLANK}),
        ("DA0101", PASSWORDS, {LifeCycle.PERSONALISING}),
        ("D69E00", b"\xaa", {LifeCycle.PERSONALISING}),
        ("A4000C", b"", set(STATES)),
        ("F08003", b"", {LifeCycle.BLANK}),
        ("F08013", b"", set()),
        ("F08015", b"", {LifeCycle.PERSONALISING}),
        ("F08005", b"", {LifeCycle.PERSONALISED}),
        ("F08001", b"", set()),
        ("F0800F", b"", set(STATES)),
        ("B00000", b"", set()),
    ],
)
@pytest.mark.parametrize("state", STATES)
def test_each_command_in_each_state(
    make_image: Maker, header: str, data: bytes, allowed: set[LifeCycle], state: LifeCycle
) -> None:
    image = make_image(state)
    if header == "E00000":
        image = replace(image, applications={}, files={})
    memory = at(image, AID) if header == "D69E00" else at(image)
    if state in allowed:
        run(memory, header, data)
    else:
        assert refused(memory, header, data) in (0x6985, 0x6D00)


def test_a_blank_becomes_an_operational_card(blank: CardImage) -> None:
    memory = run(at(blank), "D8FF81", put_key())
    assert memory.answer[0] == 0x30
    assert memory.answer[1:4] == encrypt_block(b"1" * 16, b"\x01" * 16)[:3]
    keys = memory.image.keys.personalisation
    assert keys is not None
    assert (keys.key_version, keys.enc, keys.mac, keys.dek) == (
        0x30,
        b"1" * 16,
        b"2" * 16,
        b"3" * 16,
    )
    memory = run(memory, "E00000", create_file(0x011C, 0x1C, 64, "0010"))
    memory = run(memory, "D60000", b"access")
    memory = run(memory, "E00000", create_application())
    assert memory.selection == Selection(application=AID)
    memory = run(memory, "E00000", create_file())
    memory = run(memory, "478000", GENERATE)
    public = Point.generator(NamedCurve.SECP256R1).times(int.from_bytes(b"\x17" * 32, "big"))
    assert tlv.parse(memory.answer).children()[1].value == public.to_bytes()
    assert memory.image.keys.chip_authentication[0].key_id == 1
    memory = run(memory, "F08003")
    assert memory.image.state is LifeCycle.INITIALISED
    memory = run(memory, "DA0102", REFERENCE)
    assert memory.image.state is LifeCycle.PERSONALISING
    assert run(memory, "DA0102", REFERENCE) == memory
    assert refused(memory, "DA0102", b"s" * 16) == 0x6985
    assert run(memory, "CA0102").answer == REFERENCE
    assert refused(memory, "F08015") == 0x6985
    memory = run(memory, "DA0101", PASSWORDS)
    assert memory.image.secrets == Secrets(can="654321", mrz_information="T22000129364081251010318")
    assert refused(memory, "F08015") == 0x6985
    memory = run(memory, "A4040C", AID)
    memory = run(memory, "D68100", b"content")
    memory = run(memory, "F08015")
    memory = run(memory, "F08005")
    assert read_life_cycle(memory.image.atr) is LifeCycle.OPERATIONAL
    assert memory.image.files["A0000002471001/0101"] == ImageFile(
        data=b"content", read=ReadRule.PASSWORD, short_identifier=1, capacity=100
    )


@pytest.mark.parametrize(
    "missing", ["passwords", "key", "one file's content", "all files", "only the can is set"]
)
def test_a_card_that_is_not_whole_is_not_personalised(make_image: Maker, missing: str) -> None:
    image = make_image(LifeCycle.PERSONALISING)
    empty = replace(image.files["3F00/011C"], data=b"")
    image = {
        "passwords": replace(image, secrets=Secrets()),
        "only the can is set": replace(image, secrets=Secrets(can="123456")),
        "key": replace(image, keys=Keys(personalisation=image.keys.personalisation)),
        "one file's content": image.with_file("3F00/011C", empty),
        "all files": replace(image, files={}),
    }[missing]
    assert refused(at(image), "F08015") == 0x6985


@pytest.mark.parametrize(
    ("header", "data", "expected"),
    [
        ("D83081", put_key(), 0x6A88),
        ("D8FF81", put_key()[:-1], 0x6700),
        ("D8FF80", put_key(), 0x6A86),
        ("D8FF81", put_key() + b"\x00", 0x6700),
        ("D8FF81", put_key(version=0x2F), 0x6A80),
        ("D8FF81", put_key(version=0x40), 0x6A80),
        ("D8FF81", put_key(dek=b"z" * 16), 0x6A80),
        ("D8FF81", put_key(check=bytes(3)), 0x6A80),
        ("D8FF81", put_key().replace(b"\x88\x11\x10", b"\x80\x11\x10"), 0x6A80),
        ("E00001", create_file(), 0x6A86),
        ("E00000", b"", 0x6A80),
        ("E00000", create_file()[2:], 0x6A80),
        ("E00000", create_file(rules="0310"), 0x6A80),
        ("E00000", create_file(rules="0111"), 0x6A80),
        ("E00000", create_file(sfi=0), 0x6A80),
        ("E00000", create_file(sfi=31), 0x6A80),
        ("E00000", create_file(capacity=0), 0x6A80),
        ("E00000", tlv.encode(0x62, b"\x82\x01\x02\x83\x02\x01\x01"), 0x6A80),
        ("E00000", tlv.encode(0x62, b"\x82\x01\x38\x83\x02\x01\x01"), 0x6A80),
        ("E00000", create_application(aid=b"1234"), 0x6A80),
        ("E00000", create_application(identifier=0x3F00), 0x6A89),
        ("478001", GENERATE, 0x6A86),
        ("478000", b"\xa6\x00", 0x6A80),
        ("478000", GENERATE.replace(b"\x84\x01\x01", b"\x84\x01"), 0x6A80),
        ("478000", tlv.encode(0xA6, b"\x06\x01\x2a\x84\x01\x01"), 0x6A80),
        ("D60000", b"\xaa", 0x6986),
        ("D68100", b"\xaa", 0x6A82),
        ("F00003", b"", 0x6A86),
        ("F08002", b"", 0x6A86),
        ("F08003", b"\xaa", 0x6700),
        ("DA0103", b"", 0x6985),
        ("990000", b"", 0x6D00),
    ],
)
def test_wrong_commands_of_a_blank(
    blank: CardImage, header: str, data: bytes, expected: int
) -> None:
    assert refused(at(blank), header, data) == expected


@pytest.mark.parametrize(
    ("header", "data", "expected"),
    [
        ("DA0103", b"", 0x6A82),
        ("DA0104", b"", 0x6A86),
        ("DA0102", b"r" * 15, 0x6700),
        ("CA0101", b"", 0x6A86),
        ("CA0102", b"\xaa", 0x6700),
        ("DA0101", b"", 0x6A80),
        ("DA0101", PASSWORDS.replace(b"654321", b"65432x"), 0x6A80),
        ("DA0101", PASSWORDS.replace(b"654321", b"65432\xb2"), 0x6A80),
        ("DA0101", PASSWORDS.replace(b"T22", b"t22"), 0x6A80),
        ("DA0101", tlv.encode(0xA0, b"\x82\x06654321"), 0x6A80),
        ("D69E00", b"", 0x6700),
        ("D69E00", bytes(65), 0x6A84),
        ("D69E40", b"\xaa", 0x6A84),
        ("D6FE00", b"\xaa", 0x6A86),
    ],
)
def test_wrong_commands_of_a_card_in_personalisation(
    make_image: Maker, header: str, data: bytes, expected: int
) -> None:
    assert refused(at(make_image(LifeCycle.PERSONALISING), AID), header, data) == expected


def test_a_card_without_a_reference_has_none_to_give(make_image: Maker) -> None:
    image = replace(make_image(LifeCycle.INITIALISED), card_reference=None)
    assert refused(at(image), "CA0102") == 0x6A88


def test_what_exists_is_not_created_again(blank: CardImage) -> None:
    memory = run(at(blank), "E00000", create_application())
    assert refused(memory, "E00000", create_application()) == 0x6A89
    assert refused(memory, "E00000", create_application(aid=b"other")) == 0x6A89
    memory = run(memory, "E00000", create_file())
    assert refused(memory, "E00000", create_file(sfi=2)) == 0x6A89
    assert refused(memory, "E00000", create_file(identifier=0x0102)) == 0x6A80
    # The same file may stand in the master file.
    run(replace(memory, selection=Selection()), "E00000", create_file())


def test_memory_is_bounded(blank: CardImage) -> None:
    memory = at(blank)
    for number in range(2):
        memory = run(memory, "E00000", create_file(0x0101 + number, 1 + number, 0xFFFF))
    assert refused(memory, "E00000", create_file(0x0110, 10, 10)) == 0x6A84
    memory = at(blank)
    for number in range(4):
        aid = bytes((number,)) * 5
        memory = run(memory, "E00000", create_application(aid, 0x0100 + number))
    assert refused(memory, "E00000", create_application(b"fifth", 0x0200)) == 0x6A84


def test_a_blank_writes_files_of_the_master_file_only(blank: CardImage) -> None:
    memory = run(at(blank), "E00000", create_application())
    memory = run(memory, "E00000", create_file())
    assert refused(memory, "D68100", b"\xaa") == 0x6985


def test_a_new_key_pair_takes_the_place_of_the_old_one(blank: CardImage) -> None:
    memory = run(at(blank), "478000", GENERATE)
    other = GENERATE.replace(b"\x84\x01\x01", b"\x84\x01\x02")
    memory = run(run(memory, "478000", GENERATE), "478000", other)
    assert [key.key_id for key in memory.image.keys.chip_authentication] == [1, 2]


def test_content_ends_at_the_highest_byte_ever_written(make_image: Maker) -> None:
    path = "A0000002471001/011E"
    image = make_image(LifeCycle.PERSONALISING)
    image = image.with_file(path, replace(image.files[path], data=b""))
    memory = run(at(image, AID), "D69E0A", b"end")
    assert memory.image.files[path].data == bytes(10) + b"end"
    memory = run(memory, "D60002", b"begin")
    assert memory.image.files[path].data == b"\x00\x00begin\x00\x00\x00end"
    memory = run(memory, "D6000C", b"D!")
    assert memory.image.files[path].data == b"\x00\x00begin\x00\x00\x00enD!"


def test_a_refused_command_changes_nothing(make_image: Maker) -> None:
    image = make_image(LifeCycle.PERSONALISING)
    before = image.to_json()
    memory = at(image, AID)
    for header, data in (("D69E00", bytes(65)), ("DA0101", b""), ("F08005", b"")):
        refused(memory, header, data)
    assert memory.image.to_json() == before
