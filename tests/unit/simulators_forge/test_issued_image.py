import re
from dataclasses import replace
from datetime import UTC, date, datetime
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.atr import LifeCycle, read_life_cycle
from card_layout.files.card_access import CardAccess
from card_layout.files.data_group_1 import DataGroup1
from card_layout.files.data_group_2 import Portrait
from card_layout.files.data_group_11 import PersonalDetails
from card_layout.files.data_group_12 import DocumentDetails
from card_layout.files.data_group_13 import MemberRecord
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.registry import decode_file
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.profile import load_profile, packaged_profiles
from pki.signed.security_object import SecurityObject, StatusReference
from simulators.authority import SignerKind, TestAuthority
from simulators.image import CardImage
from simulators.issued_image import DEFAULT_PROFILE, data_groups, issue_image, sign_image
from simulators.population.member import SyntheticMember, draw_member
from simulators.population.names import NOTABLE_NAMES, NotableName, PersonName
from simulators.testing import TEST_CAN, TEST_TIME

PROFILE = load_profile(DEFAULT_PROFILE)


def content(image: CardImage, name: str) -> bytes:
    return image.files[PROFILE.file(name).path].data


def security_object(image: CardImage) -> SecurityObject:
    return SecurityObject.from_bytes(
        SecurityObjectFile.from_bytes(content(image, "EF.SOD")).content_info
    )


def test_the_card_is_operational_and_says_so(issued_card: CardImage) -> None:
    assert issued_card.state is LifeCycle.OPERATIONAL
    assert read_life_cycle(issued_card.atr) is LifeCycle.OPERATIONAL
    assert issued_card.secrets.can == TEST_CAN


def test_every_file_of_the_profile_is_there_and_decodes(issued_card: CardImage) -> None:
    assert set(issued_card.files) == {file.path for file in PROFILE.files}
    for file in PROFILE.files:
        data = content(issued_card, file.name)
        assert decode_file(file.name, data).to_bytes() == data
        assert len(data) <= file.capacity
        assert issued_card.files[file.path].read == file.read.name.lower()


def test_the_image_survives_its_own_file_format(issued_card: CardImage) -> None:
    assert CardImage.from_json(issued_card.to_json()) == issued_card


def test_the_security_object_lists_exactly_the_data_groups(issued_card: CardImage) -> None:
    signed = security_object(issued_card)
    signed.verify_signature()
    assert signed.signing_time == TEST_TIME
    assert signed.status_reference is not None
    assert dict(signed.file_hashes) == {
        group: signed.hash_algorithm.digest(data)
        for group, data in data_groups(issued_card, PROFILE).items()
    }


def test_the_chip_holds_the_private_key_of_the_signed_public_one(issued_card: CardImage) -> None:
    infos = SecurityOptions.from_bytes(content(issued_card, "EF.DG14")).security_infos
    (announced,) = infos.chip_authentication_keys
    (key,) = issued_card.keys.chip_authentication
    private_key = ec.derive_private_key(key.private_scalar, key.curve.to_cryptography())
    assert announced.public_key.to_cryptography() == private_key.public_key()
    assert announced.key_id == key.key_id == 1


def test_access_parameters_are_signed_byte_for_byte(issued_card: CardImage) -> None:
    access = CardAccess.from_bytes(content(issued_card, "EF.CardAccess")).security_infos
    signed = SecurityOptions.from_bytes(content(issued_card, "EF.DG14")).security_infos
    assert [info.to_bytes() for info in access.pace_infos] == [
        info.to_bytes() for info in signed.pace_infos
    ]


def test_the_password_of_the_mrz_is_that_of_dg1(issued_card: CardImage) -> None:
    zone = DataGroup1.from_bytes(content(issued_card, "EF.DG1")).mrz
    assert issued_card.secrets.mrz_information == zone.information


def test_what_the_files_say_agrees(
    issued_card: CardImage, synthetic_member: SyntheticMember
) -> None:
    zone = DataGroup1.from_bytes(content(issued_card, "EF.DG1")).mrz
    details = PersonalDetails.from_bytes(content(issued_card, "EF.DG11"))
    issuing = DocumentDetails.from_bytes(content(issued_card, "EF.DG12"))
    record = MemberRecord.from_bytes(content(issued_card, "EF.DG13"))
    assert details.birth_date == synthetic_member.birth_date
    assert zone.birth_date == f"{details.birth_date:%y%m%d}"
    assert (details.primary_name, details.secondary_name) == (
        record.primary_name,
        record.secondary_name,
    )
    assert zone.expiry_date == f"{record.valid_until:%y%m%d}"
    assert record.valid_until == date(2036, 1, 15)
    assert issuing.date_of_issue == record.valid_from == TEST_TIME.date()
    assert record.card_number == synthetic_member.card_number.replace(".", "")
    assert Portrait.from_bytes(content(issued_card, "EF.DG2")).image == synthetic_member.portrait


def test_a_seed_gives_the_same_card_but_for_keys_and_signature(
    test_pki: TestAuthority, synthetic_member: SyntheticMember
) -> None:
    first, second = (
        issue_image(synthetic_member, authority=test_pki, random=Random(9)) for _ in range(2)
    )
    assert (first.serial, first.card_reference, first.secrets) == (
        second.serial,
        second.card_reference,
        second.secrets,
    )
    assert first.keys.chip_authentication != second.keys.chip_authentication
    different = {path for path in first.files if first.files[path] != second.files[path]}
    assert different == {PROFILE.file(name).path for name in ("EF.DG14", "EF.SOD")}


def test_two_cards_share_no_salt_number_or_can(
    test_pki: TestAuthority, synthetic_member: SyntheticMember
) -> None:
    first, second = (issue_image(synthetic_member, authority=test_pki) for _ in range(2))
    salts = {MemberRecord.from_bytes(content(each, "EF.DG13")).salt for each in (first, second)}
    assert len(salts) == 2
    assert first.serial != second.serial
    assert first.secrets.mrz_information != second.secrets.mrz_information
    assert re.fullmatch("[0-9]{6}", first.secrets.can or "")


@pytest.mark.parametrize("notable", NOTABLE_NAMES, ids=lambda notable: str(notable.reason))
def test_every_notable_name_fits_a_card(test_pki: TestAuthority, notable: NotableName) -> None:
    name = notable.name
    member = draw_member(Random(2), serial_number=2, name=name)
    image = issue_image(member, authority=test_pki, random=Random(2))
    record = MemberRecord.from_bytes(content(image, "EF.DG13"))
    words = f"{record.primary_name} {record.secondary_name}".split()
    assert sorted(words) == sorted(name.full.split())


def test_a_name_too_long_for_dg11_stands_in_dg13_only(test_pki: TestAuthority) -> None:
    secondary = " ".join(["Thị Ngọc Thanh Hường"] * 5)
    name = PersonName(
        full=f"Nguyễn {secondary}", primary="Nguyễn", secondary=secondary, is_woman=True
    )
    member = draw_member(Random(3), serial_number=3, name=name)
    image = issue_image(member, authority=test_pki, random=Random(3))
    assert PersonalDetails.from_bytes(content(image, "EF.DG11")).primary_name is None
    assert MemberRecord.from_bytes(content(image, "EF.DG13")).secondary_name == secondary


@pytest.mark.parametrize("name", packaged_profiles())
def test_every_packaged_profile_can_be_issued(
    test_pki: TestAuthority, synthetic_member: SyntheticMember, name: str
) -> None:
    image = issue_image(synthetic_member, authority=test_pki, profile=name, random=Random(1))
    profile = load_profile(name)
    (key,) = image.keys.chip_authentication
    assert (image.profile, key.curve) == (name, profile.chip_authentication_curve)
    if profile.pace_curve is None:
        assert "3F00/011C" not in image.files
        assert image.secrets.basic_access_control
        return
    (info,) = CardAccess.from_bytes(
        image.files[profile.file("EF.CardAccess").path].data
    ).security_infos.pace_infos
    assert info.parameter_id == profile.pace_curve.pace_parameter_id


def test_a_profile_without_extended_lengths_announces_none(
    test_pki: TestAuthority, synthetic_member: SyntheticMember
) -> None:
    short = replace(PROFILE, extended_lengths=False)
    image = issue_image(synthetic_member, authority=test_pki, profile=short, random=Random(1))
    assert not image.limits.extended_lengths
    assert b"\x94\x21\x80" in image.atr
    assert content(image, "EF.ATR/INFO") == bytes.fromhex("4703942180")


def test_signer_times_and_status_can_be_chosen(
    test_pki: TestAuthority, synthetic_member: SyntheticMember
) -> None:
    reference = StatusReference(list_id=bytes(8), index=5)
    moment = datetime(2026, 2, 1, 10, 30, 15, 999, tzinfo=UTC)
    image = issue_image(
        synthetic_member,
        authority=test_pki,
        random=Random(1),
        signer=SignerKind.REVOKED,
        signing_time=moment,
        valid_until=date(2026, 2, 2),
        status_reference=reference,
    )
    signed = security_object(image)
    assert signed.signing_time == moment.replace(microsecond=0)
    assert signed.status_reference == reference
    assert signed.signer_certificate == test_pki.signers[SignerKind.REVOKED].certificate
    assert MemberRecord.from_bytes(content(image, "EF.DG13")).valid_until == date(2026, 2, 2)


def test_signing_again_can_leave_groups_out(
    test_pki: TestAuthority, issued_card: CardImage
) -> None:
    image = sign_image(
        issued_card,
        profile=PROFILE,
        authority=test_pki,
        signing_time=TEST_TIME,
        status_reference=StatusReference(list_id=bytes(8), index=0),
        without={2, 12},
    )
    assert set(security_object(image).file_hashes) == {1, 11, 13, 14}
