from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.files.atr_info import AtrInfo
from card_layout.files.card_access import CardAccess
from card_layout.files.common_data import CommonData
from card_layout.files.data_group_1 import DataGroup1
from card_layout.files.data_group_2 import ImageFormat, Portrait
from card_layout.files.data_group_11 import PersonalDetails
from card_layout.files.data_group_12 import DocumentDetails
from card_layout.files.data_group_13 import CardKind, MemberRecord
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.registry import FILE_TYPES, TAG_OF_GROUP
from card_layout.files.security_infos import (
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
    SecurityInfos,
)
from card_layout.files.terminal_authentication_info import TerminalAuthenticationInfo
from card_layout.mrz import MachineReadableZone
from card_layout.profile import (
    AccessRule,
    CardProfile,
    FileProfile,
    ProfileError,
    load_profile,
    packaged_profiles,
)

PACKAGED = Path(__file__).resolve().parents[3] / "card_layout" / "profiles"
TEXT = (PACKAGED / "membercard-1-icao.toml").read_text(encoding="utf-8")


def load(directory: Path, text: str) -> CardProfile:
    path = directory / "profile.toml"
    path.write_text(text, encoding="utf-8")
    return load_profile(str(path))


def test_the_package_brings_the_assumed_profiles() -> None:
    assert packaged_profiles() == (
        "dev-bac",
        "membercard-1",
        "membercard-1-icao",
        "membercard-1-icao-brainpool",
    )
    for name in packaged_profiles():
        profile = load_profile(name)
        assert profile.name == name
        assert profile.is_assumed


# SPEC.md, 3.12, 5.8 and 5.9.
FILES_OF_OTHERS = {"EF.DG3", "EF.DG4", "EF.CVCA", "EF.CardSecurity", "EF.DG15"}


def test_the_files_are_those_of_the_specification() -> None:
    profile = load_profile("membercard-1-icao")
    # SPEC.md, 3.1 and 3.2.
    assert [
        (
            file.name,
            file.path,
            f"{file.file_identifier:04X}",
            f"{file.short_identifier:02X}",
            None if file.tag is None else f"{file.tag:02X}",
            file.data_group,
            file.read,
        )
        for file in profile.files
    ] == [
        ("EF.ATR/INFO", "3F00/2F01", "2F01", "01", None, None, AccessRule.ALWAYS),
        ("EF.CardAccess", "3F00/011C", "011C", "1C", None, None, AccessRule.ALWAYS),
        ("EF.COM", "A0000002471001/011E", "011E", "1E", "60", None, AccessRule.PASSWORD),
        ("EF.SOD", "A0000002471001/011D", "011D", "1D", "77", None, AccessRule.PASSWORD),
        ("EF.DG1", "A0000002471001/0101", "0101", "01", "61", 1, AccessRule.PASSWORD),
        ("EF.DG2", "A0000002471001/0102", "0102", "02", "75", 2, AccessRule.PASSWORD),
        ("EF.DG11", "A0000002471001/010B", "010B", "0B", "6B", 11, AccessRule.PASSWORD),
        ("EF.DG12", "A0000002471001/010C", "010C", "0C", "6C", 12, AccessRule.PASSWORD),
        ("EF.DG13", "A0000002471001/010D", "010D", "0D", "6D", 13, AccessRule.PASSWORD),
        ("EF.DG14", "A0000002471001/010E", "010E", "0E", "6E", 14, AccessRule.PASSWORD),
    ]
    assert [file.name for file in profile.files] == [
        name for name in FILE_TYPES if name not in FILES_OF_OTHERS
    ]
    assert [file.name for file in profile.master_files] == ["EF.ATR/INFO", "EF.CardAccess"]
    assert len(profile.application_files) == 8
    assert profile.application_identifier == bytes.fromhex("A0000002471001")
    assert profile.application_file_identifier == 0x0100
    assert profile.arc == "1.3.6.1.4.1.32473.51"
    assert (profile.document_code, profile.issuing_state) == ("CM", "VNM")
    assert (profile.max_command_bytes, profile.max_response_bytes) == (4096, 4096)


def test_the_default_profile_adds_the_trust_points_and_protects_the_member_record() -> None:
    icao, default = load_profile("membercard-1-icao"), load_profile("membercard-1")
    trust_points = default.file("EF.CVCA")
    assert trust_points == FileProfile(
        name="EF.CVCA",
        path="A0000002471001/011C",
        file_identifier=0x011C,
        short_identifier=0x1C,
        tag=None,
        data_group=None,
        capacity=36,
        read=AccessRule.PASSWORD,
    )
    assert default == replace(
        icao,
        name="membercard-1",
        files=tuple(
            changed
            for file in icao.files
            for changed in {
                "EF.SOD": (file, trust_points),
                "EF.DG13": (replace(file, read=AccessRule.TERMINAL),),
            }.get(file.name, (file,))
        ),
    )


def test_the_profiles_differ_in_their_curves_only() -> None:
    icao = load_profile("membercard-1-icao")
    brainpool = load_profile("membercard-1-icao-brainpool")
    assert icao.pace_curve is icao.chip_authentication_curve is NamedCurve.SECP256R1
    assert brainpool == replace(
        icao,
        name="membercard-1-icao-brainpool",
        pace_curve=NamedCurve.BRAINPOOLP256R1,
        chip_authentication_curve=NamedCurve.BRAINPOOLP256R1,
    )


def longest_contents(profile: CardProfile) -> dict[str, bytes]:
    """The longest content that SPEC.md lets each file have (EF.SOD is `pki`'s)."""
    curve = profile.chip_authentication_curve
    key = EcPublicKey(curve=curve, point=curve.generator)
    pace = PaceInfo(parameter_id=(profile.pace_curve or curve).pace_parameter_id)
    day = date(2026, 11, 21)
    picture = bytes.fromhex("FFD8 FFC0000B 08 0200 0180 01011100")
    return {
        "EF.ATR/INFO": AtrInfo(
            capabilities=bytes(3), max_command_bytes=65544, max_response_bytes=65538
        ).to_bytes(),
        "EF.CardAccess": CardAccess(security_infos=SecurityInfos(infos=(pace,))).to_bytes(),
        "EF.COM": CommonData(data_group_tags=tuple(TAG_OF_GROUP.values())).to_bytes(),
        "EF.DG1": DataGroup1(
            mrz=MachineReadableZone(
                document_code="CM",
                issuing_state="VNM",
                document_number="ABCDEFGHI",
                birth_date="700309",
                sex="F",
                expiry_date="361121",
                nationality="VNM",
                name="A" * 30,
            )
        ).to_bytes(),
        "EF.DG2": Portrait(
            image=picture.ljust(profile.portrait_max_bytes, b"\x00"),
            format=ImageFormat.JPEG,
            width=384,
            height=512,
        ).to_bytes(),
        "EF.DG11": PersonalDetails(
            primary_name="A" * 99, birth_date=day, place_of_birth="B" * 320
        ).to_bytes(),
        "EF.DG12": DocumentDetails(
            issuing_committee="C" * 320,
            date_of_issue=day,
            personalised_at=datetime(2026, 11, 21, tzinfo=UTC),
            personalisation_system="D" * 128,
        ).to_bytes(),
        "EF.DG13": MemberRecord(
            salt=bytes(16),
            card_number="0" * 8,
            record_number="123456ABC",
            citizen_number="0" * 12,
            full_name="B" * 160 + " " + "A" * 160,
            primary_name="A" * 160,
            secondary_name="B" * 160,
            organisation_code="C" * 32,
            organisation_name="D" * 320,
            admission_date=day,
            recognition_date=day,
            home_town="E" * 320,
            ethnic_group="F" * 64,
            kind=CardKind.RE_ISSUE,
            ordinal=99,
            valid_from=day,
            valid_until=day,
        ).to_bytes(),
        "EF.DG14": SecurityOptions(
            security_infos=SecurityInfos(
                infos=(
                    pace,
                    ChipAuthenticationInfo(key_id=1),
                    ChipAuthenticationPublicKeyInfo(public_key=key, key_id=1),
                    TerminalAuthenticationInfo(),
                )
            )
        ).to_bytes(),
    }


@pytest.mark.parametrize("name", packaged_profiles())
def test_every_file_holds_the_longest_content_of_the_specification(name: str) -> None:
    profile = load_profile(name)
    contents = longest_contents(profile)
    if profile.pace_curve is None:
        assert not profile.master_files
        contents = {
            name: content
            for name, content in contents.items()
            if name not in ("EF.ATR/INFO", "EF.CardAccess")
        }
    else:
        assert set(contents) == set(FILE_TYPES) - {"EF.SOD"} - FILES_OF_OTHERS
    too_long = [
        file for file, content in contents.items() if len(content) > profile.file(file).capacity
    ]
    assert too_long == []


def test_a_profile_can_be_a_file(tmp_path: Path) -> None:
    profile = load(
        tmp_path,
        TEXT.replace('name = "membercard-1-icao"', 'name = "real"').replace("= true", "= false", 1),
    )
    assert profile.name == "real"
    assert not profile.is_assumed


@pytest.mark.parametrize(
    "name", ["", "membercard", "../profile", "/etc/passwd", "no/such.toml", "\0.toml"]
)
def test_an_unknown_profile_is_not_found(name: str) -> None:
    with pytest.raises(ProfileError) as raised:
        load_profile(name)
    assert raised.value.code == "profile.not-found"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format = 1", "format = 2"),
        ("format = 1", ""),
        ("format = 1", "format = 1\nsurprise = 1"),
        ("format = 1", "format = 'one"),
        ("is_assumed = true", 'is_assumed = "yes"'),
        ('"membercard-1-icao"', '"Two Words"'),
        ('arc = "1.3.6', 'arc = "1.03.6'),
        ('"A0000002471001"', '"A000000247100"'),
        ('file_identifier = "0100"', 'file_identifier = "100"'),
        ('pace_curve = "secp256r1"', 'pace_curve = "secp256k1"'),
        ("max_command_bytes = 4096", "max_command_bytes = 255"),
        ("min_bytes = 12000", "min_bytes = 30000"),
        ("data_group = 11", "data_group = 17"),
        ("data_group = 11", "data_group = 12"),
        ('short_identifier = "0B"', 'short_identifier = "1F"'),
        ('short_identifier = "0B"', 'short_identifier = "0C"'),
        ('name = "EF.DG11"', 'name = "EF.DG12"'),
        ('path = "A0000002471001/010B"', 'path = "A0000002471001/010C"'),
        ('path = "A0000002471001/010B"', 'path = "A0000002471002/010B"'),
        ('path = "A0000002471001/010B"', 'path = "3F00"'),
        ("capacity = 512", "capacity = 0"),
        ("capacity = 512", "capacity = 65536"),
        ("capacity = 512", "capacity = 512.0"),
        ('read = "always"', 'read = "everybody"'),
    ],
)
def test_a_profile_that_is_wrong_in_one_place_is_refused(
    tmp_path: Path, old: str, new: str
) -> None:
    assert old in TEXT
    with pytest.raises(ProfileError) as raised:
        load(tmp_path, TEXT.replace(old, new, 1))
    assert raised.value.code == "profile.malformed"
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError):
        load_profile(str(path))


def test_a_file_that_the_profile_does_not_have_has_no_profile() -> None:
    profile = load_profile("membercard-1-icao")
    assert profile.file("EF.DG13").capacity == 1536
    with pytest.raises(ProfileError) as raised:
        profile.file("EF.DG15")
    assert raised.value.code == "profile.no-such-file"
