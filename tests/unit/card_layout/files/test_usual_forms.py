"""Files that are recognised at a glance against the readable decoders: the same value, or the same refusal, of any bytes."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial

import pytest
from cryptography.hazmat import asn1
from hypothesis import given, settings
from hypothesis import strategies as st

from card_layout import names, tlv
from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.errors import CardDataError
from card_layout.files import (
    data_group_1,
    data_group_2,
    data_group_13,
    security_infos,
    tag_list,
    text,
    usual_keys,
)
from card_layout.files.data_group_1 import DataGroup1
from card_layout.files.data_group_2 import Portrait
from card_layout.files.data_group_11 import PersonalDetails
from card_layout.files.data_group_12 import DocumentDetails
from card_layout.files.data_group_13 import CardKind, MemberRecord
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.registry import decode_file
from card_layout.files.security_infos import (
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
    SecurityInfos,
)
from card_layout.mrz import _PATTERNS, MachineReadableZone
from tests.unit.card_layout.member_record_asn1 import DeclaredRecord, declared

UTOPIA = (
    "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6ERIKSSON<<ANNA<MARIA<<<<<<<<<<"
)
# A JPEG header of 384 x 512 pixels, and enough behind it for lengths of two bytes.
PICTURE = bytes.fromhex("FFD8 FFC0000B 08 0200 0180 01011100") + bytes(600) + b"\xff\xd9"
KEYS = tuple(
    ChipAuthenticationPublicKeyInfo(
        public_key=EcPublicKey(curve=curve, point=curve.generator),
        key_id=key_id,
        explicit_parameters=is_explicit,
    )
    for curve in (NamedCurve.SECP256R1, NamedCurve.BRAINPOOLP384R1, NamedCurve.SECP521R1)
    for key_id in (None, 1, 0x80, 0x1234)
    for is_explicit in (True, False)
)
FILES = (
    ("EF.DG1", DataGroup1(mrz=MachineReadableZone.from_text(UTOPIA)).to_bytes()),
    ("EF.DG2", Portrait.of_picture(PICTURE).to_bytes()),
    ("EF.DG2", Portrait.of_picture(PICTURE[:13]).to_bytes()),
    *(
        (
            "EF.DG11",
            PersonalDetails(
                primary_name=primary_name,
                secondary_name=secondary_name,
                birth_date=date(1970, 3, 9),
                place_of_birth=place,
            ).to_bytes(),
        )
        for primary_name, secondary_name in (("Nguyễn", "Thị Đoan Trang"), (None, ""))
        for place in ("Huế", "x" * 200, "x" * 300)
    ),
    (
        "EF.DG12",
        DocumentDetails(
            issuing_committee="Tỉnh ủy A",
            date_of_issue=date(2026, 11, 21),
            personalised_at=datetime(2026, 11, 21, 23, 59, 58, tzinfo=UTC),
            personalisation_system="membercard 0.1",
        ).to_bytes(),
    ),
    *(
        (
            "EF.DG14",
            SecurityOptions(
                security_infos=SecurityInfos(
                    infos=(PaceInfo(parameter_id=12), ChipAuthenticationInfo(key_id=1), key)
                )
            ).to_bytes(),
        )
        for key in KEYS
    ),
)


class NeverUsual:
    """Stands for fixed objects that are never found."""

    def __init__(self, *_tags: int) -> None:
        pass

    def values(self, _data: bytes) -> None:
        return None


def readably(work: Callable[[], object]) -> object:
    """Run something with every glance closed and every cache empty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_group_1, "_USUAL_HEADERS", b"\x00")
        patch.setattr(data_group_2, "_usual_face", lambda _: None)
        patch.setattr(security_infos, "last_key", lambda _: None)
        patch.setattr(tag_list, "_usual_form", lambda *_: (b"", NeverUsual()))
        patch.setattr(names, "_ONLY_LETTERS", re.compile(r"(?!)"))
        _forget()
        found = work()
    _forget()
    return found


def _forget() -> None:
    security_infos._decode_infos.cache_clear()
    security_infos._infos_before.cache_clear()


def outcome(work: Callable[[], object]) -> object:
    """What came of it: the value, or the refusal with its code and text."""
    try:
        return work()
    except CardDataError as error:
        return type(error), error.code, str(error)


@st.composite
def changed_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file with some of its first bytes changed, taken out or put in; often none."""
    name, content = draw(st.sampled_from(FILES))
    changed = bytearray(content)
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, min(len(changed), 420) - 1))
        octets = draw(st.binary(max_size=2))
        changed[place : place + draw(st.integers(0, 2))] = octets
    if draw(st.booleans()) and draw(st.booleans()):
        changed += draw(st.binary(min_size=1, max_size=3))
    return name, bytes(changed)


@settings(max_examples=150)
@given(file=changed_files())
def test_a_glance_says_nothing_that_the_readable_decoder_would_not(
    file: tuple[str, bytes],
) -> None:
    name, content = file
    _forget()
    at_a_glance = outcome(lambda: decode_file(name, content))
    assert at_a_glance == readably(lambda: outcome(lambda: decode_file(name, content)))


SWEPT = [FILES[0], FILES[1], FILES[3], FILES[9], *FILES[10:12], FILES[12]]
"""One of each kind, and of the keys one with an identifier for each way to name the curve, and one without."""


@pytest.mark.parametrize(("name", "content"), SWEPT)
def test_every_byte_changed_and_every_end_says_the_same_either_way(
    name: str, content: bytes
) -> None:
    places = [*range(min(len(content), 130)), *range(max(130, len(content) - 75), len(content))]
    changed = [
        content[:place] + bytes((content[place] ^ bits,)) + content[place + 1 :]
        for place in places
        for bits in (0x01, 0x80)
    ]
    changed += [content[:-1], content[:-3], content + b"\x00", content + content]
    at_a_glance = [outcome(partial(decode_file, name, item)) for item in changed]
    assert at_a_glance == readably(
        lambda: [outcome(partial(decode_file, name, item)) for item in changed]
    )


@pytest.mark.parametrize("key", KEYS)
def test_a_key_with_something_behind_it_is_not_recognised(
    key: ChipAuthenticationPublicKeyInfo,
) -> None:
    assert usual_keys.recognise_key(key.to_bytes() + b"\x00") is None
    assert usual_keys.recognise_key(key.to_bytes()[:-1]) is None


@pytest.mark.parametrize(("name", "content"), FILES)
def test_what_is_written_is_read_back_either_way(name: str, content: bytes) -> None:
    value = decode_file(name, content)
    assert value.to_bytes() == content
    assert readably(lambda: decode_file(name, content)) == value


def test_the_usual_files_are_recognised() -> None:
    """Otherwise the comparisons above would compare the readable decoders with themselves."""
    assert data_group_2._usual_face(FILES[1][1]) is not None
    assert data_group_2._usual_face(FILES[2][1]) is None
    assert [usual_keys.recognise_key(key.to_bytes()) is not None for key in KEYS] == [
        key.key_id in (None, 1) for key in KEYS
    ]
    assert usual_keys.last_key(FILES[-len(KEYS)][1]) is not None
    tag_bytes, objects = tag_list._usual_form(0x6C, (0x5F19, 0x5F26, 0x5F55, 0x5F56))
    values = objects.values(next(item for name, item in FILES if name == "EF.DG12"))
    assert values is not None
    assert values[0] == tag_bytes


def test_a_key_inside_another_info_is_no_key_of_the_chip() -> None:
    """Its set ends as one does whose last info is a key, and holds one unknown info."""
    protocol = tlv.encode(0x06, bytes.fromhex("2A0304"))
    info = tlv.encode(0x30, protocol + KEYS[0].to_bytes())
    content = tlv.encode(0x6E, tlv.encode(0x31, info))
    assert usual_keys.last_key(content) is not None
    options = SecurityOptions.from_bytes(content)
    assert options.security_infos.chip_authentication_keys == ()
    assert readably(lambda: SecurityOptions.from_bytes(content)) == options
    assert options.to_bytes() == content


@given(
    tags=st.lists(st.sampled_from([0x02, 0x5F0E, 0x5F2B, 0x7F61, 0xDF8101]), max_size=4),
    values=st.lists(
        st.one_of(st.binary(max_size=3), st.sampled_from([127, 128, 255, 256]).map(bytes)),
        min_size=4,
        max_size=4,
    ),
    cut=st.integers(0, 3),
    behind=st.binary(max_size=2),
)
def test_fixed_objects_are_exactly_what_the_codec_finds(
    tags: list[int], values: list[bytes], cut: int, behind: bytes
) -> None:
    items = [tlv.Tlv(tag, value) for tag, value in zip(tags, values, strict=False)]
    encoded = tlv.concatenate(items)
    objects = tlv.FixedObjects(*tags)
    assert objects.values(encoded) == [item.value for item in items]
    within = tlv.FixedObjects(*tags, within=(0x6D, 0x30))
    wrapped = tlv.encode(0x6D, tlv.encode(0x30, encoded))
    assert within.values(wrapped) == [item.value for item in items]
    assert within.values(wrapped + b"\x00") is None
    assert within.values(tlv.encode(0x6D, tlv.encode(0x30, encoded) + b"\x05\x00")) is None
    assert within.values(tlv.encode(0x6E, tlv.encode(0x30, encoded))) is None
    changed = encoded[: len(encoded) - cut] + behind
    found = objects.values(changed)
    if found is not None:
        assert [(item.tag, item.value) for item in tlv.parse_all(changed)] == list(
            zip(tags, found, strict=True)
        )


@pytest.mark.parametrize("overlong", ["02 81 01 00", "02 82 0001 00", "02 80 00 00", "02 84 00"])
def test_a_length_in_another_form_is_no_fixed_object(overlong: str) -> None:
    assert tlv.FixedObjects(0x02).values(bytes.fromhex(overlong)) is None


@given(
    name=st.text(
        st.one_of(
            st.sampled_from("aZđĐễỆ -'ʼ\u0301\u0323ßøÐ1<\n\u200b"),
            st.characters(max_codepoint=0x1EFF),
        ),
        max_size=12,
    )
)
def test_letters_by_table_are_letters_one_by_one(name: str) -> None:
    by_table = outcome(lambda: names.transliterate(name))
    assert by_table == readably(lambda: outcome(lambda: names.transliterate(name)))


MEMBER = MemberRecord(
    salt=bytes(range(16)),
    card_number="01000001",
    record_number="123456ABC",
    citizen_number="001070000001",
    full_name="Y Bhăm Êban",
    primary_name="Êban",
    secondary_name="Y Bhăm",
    organisation_code="A.01",
    organisation_name="Đảng bộ " + "A" * 130,
    admission_date=date(2000, 2, 29),
    recognition_date=date(2001, 2, 28),
    home_town="Đắk Lắk",
    ethnic_group="Ê Đê",
    kind=CardKind.EXCHANGE,
    ordinal=2,
    valid_from=date(2026, 11, 21),
    valid_until=date(2036, 11, 21),
)


def is_record_in_der(content: bytes) -> bool:
    """Whether the library's own decoder takes it for the ASN.1 of SPEC.md, 3.10."""
    try:
        content = tlv.parse(content, expected_tag=0x6D).value
        return asn1.decode_der(DeclaredRecord, content).version == 1
    except (CardDataError, ValueError):
        return False


def every_change(content: bytes) -> list[bytes]:
    """Each byte changed in three ways, taken out and doubled; and every end."""
    changed = [content[:end] for end in range(len(content))] + [content + b"\x00"]
    for place, octet in enumerate(content):
        before, behind = content[:place], content[place + 1 :]
        changed += [before + bytes((octet ^ bits,)) + behind for bits in (0x01, 0x20, 0x80)]
        changed += [before + behind, before + bytes((octet, octet)) + behind]
    return changed


def test_a_member_record_is_read_only_where_the_asn1_decoder_reads_it_and_as_the_same() -> None:
    content = MEMBER.to_bytes()
    assert MemberRecord.from_bytes(content) == MEMBER
    taken = 0
    for changed in every_change(content):
        read = outcome(partial(MemberRecord.from_bytes, changed))
        if isinstance(read, MemberRecord):
            taken += 1
            assert is_record_in_der(changed)
            assert read.to_bytes() == changed
    # Another letter, digit or byte of the salt makes another record.
    assert taken > 100


def test_what_the_asn1_decoder_reads_is_refused_for_its_values_alone() -> None:
    for changed in every_change(MEMBER.to_bytes()):
        if is_record_in_der(changed):
            assert data_group_13._OBJECTS.values(changed) is not None


@given(
    name=st.text(st.sampled_from("AĐêố"), min_size=1, max_size=80),
    code=st.text(st.sampled_from("A.01"), min_size=1, max_size=32),
    organisation=st.text(st.sampled_from("aĐộ b"), min_size=1, max_size=100),
    salt=st.binary(min_size=16, max_size=16),
    kind=st.sampled_from(CardKind),
    ordinal=st.integers(1, 99),
    day=st.dates(date(1900, 1, 1), date(2099, 12, 31)),
)
def test_a_member_record_is_written_as_the_asn1_encoder_writes_it(
    *,
    name: str,
    code: str,
    organisation: str,
    salt: bytes,
    kind: CardKind,
    ordinal: int,
    day: date,
) -> None:
    made = replace(
        MEMBER,
        full_name=name,
        primary_name=name,
        secondary_name="",
        organisation_code=code,
        organisation_name=organisation,
        salt=salt,
        kind=kind,
        ordinal=ordinal,
        admission_date=day,
    )
    assert made.to_bytes() == tlv.encode(0x6D, asn1.encode_der(declared(made)))


@given(
    texts=st.lists(
        st.text(st.sampled_from("aĐ\u0301\u0338 <\u200b\ud800<\u1100\u1161"), max_size=4),
        min_size=3,
        max_size=3,
    )
)
def test_texts_are_judged_together_as_one_by_one(texts: list[str]) -> None:
    sizes = {"first": (1, 6), "second": (0, 5), "third": (1, 9)}

    def one_by_one() -> None:
        for item, (what, (minimum, maximum)) in zip(texts, sizes.items(), strict=True):
            text.require_text(item, what, minimum=minimum, maximum=maximum)

    assert outcome(lambda: text.require_texts(texts, sizes)) == outcome(one_by_one)


ZONE = MachineReadableZone.from_text(UTOPIA)


@given(
    field_name=st.sampled_from(list(_PATTERNS)),
    value=st.text(st.sampled_from("A1<\n0MFé "), max_size=31),
)
def test_fields_of_an_mrz_are_judged_together_as_one_by_one(field_name: str, value: str) -> None:
    fields = {name: getattr(ZONE, name) for name in _PATTERNS} | {field_name: value}
    is_allowed = all(
        pattern.fullmatch(fields[name]) is not None for name, pattern in _PATTERNS.items()
    )
    refusal = outcome(lambda: MachineReadableZone(**fields))
    if is_allowed:
        assert isinstance(refusal, MachineReadableZone) or "is not a date" in str(refusal)
    else:
        assert f"{field_name} of the mrz is not what 9303-5 allows there" in str(refusal)
