"""Every file of a card, built from what the register, the chip and the draw of secrets give (SPEC.md 3)."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from card_layout.atr import CAPABILITIES_EXTENDED, CAPABILITIES_SHORT
from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.files.atr_info import AtrInfo
from card_layout.files.card_access import CardAccess
from card_layout.files.common_data import CommonData
from card_layout.files.data_group_1 import DataGroup1
from card_layout.files.data_group_2 import Portrait
from card_layout.files.data_group_11 import PersonalDetails
from card_layout.files.data_group_12 import DocumentDetails
from card_layout.files.data_group_13 import CardKind, MemberRecord
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.data_groups import TAG_OF_GROUP
from card_layout.files.security_infos import (
    ID_CA_ECDH_3DES,
    ID_CA_ECDH_AES_128,
    ID_PACE_ECDH_GM_AES_128,
    ID_PK_ECDH,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
    SecurityInfos,
)
from card_layout.files.terminal_authentication_info import TerminalAuthenticationInfo
from card_layout.files.trust_points import TrustPoints
from card_layout.mrz import MachineReadableZone, mrz_date
from card_layout.names import mrz_name
from card_layout.profile import CardProfile
from issuer.domain.batch_proof import ProofLine
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.chip_plan import CHIP_KEY_ID, TRUST_POINTS_FILE
from issuer.domain.requests import RequestKind
from issuer.errors import IssuerRefusedError

__all__ = [
    "CardData",
    "CardFacts",
    "add_years",
    "build_card_data",
    "chip_authentication_info",
    "chip_key_info",
    "master_file_contents",
    "pace_infos",
]

_KINDS = {
    RequestKind.NEW_ISSUE: CardKind.FIRST_ISSUE,
    RequestKind.EXCHANGE: CardKind.EXCHANGE,
    RequestKind.RE_ISSUE: CardKind.RE_ISSUE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """Everything that is on one card.

    Attributes:
        line: the card as it was proven: of whom, by which number, and whose.
        portrait: JPEG or JPEG 2000, within the profile's bounds.
        chip_key: the key that the chip made.
        valid_from: also the date of issue.
        valid_until: also the date of expiry in the MRZ.
        personalised_at: aware UTC, whole seconds.
        personalisation_system: what EF.DG12 calls the system that made the card.
        trust_points: references of the CVCA keys that the chip is to trust, the newest first.
    """

    line: ProofLine = field(repr=False)
    portrait: bytes = field(repr=False)
    secrets: CardSecrets = field(repr=False)
    chip_key: EcPublicKey = field(repr=False)
    valid_from: date
    valid_until: date
    personalised_at: datetime
    personalisation_system: str
    trust_points: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CardData:
    """The files of the application but EF.SOD, and the MRZ password of 24 characters."""

    contents: Mapping[str, bytes] = field(repr=False)
    data_groups: Mapping[int, bytes] = field(repr=False)
    mrz_information: str = field(repr=False)


def master_file_contents(profile: CardProfile) -> dict[str, bytes]:
    """The files of the master file: the same on every card of a profile (SPEC.md 3.3, 3.4)."""
    atr_info = AtrInfo(
        capabilities=CAPABILITIES_EXTENDED if profile.extended_lengths else CAPABILITIES_SHORT,
        max_command_bytes=profile.max_command_bytes if profile.extended_lengths else None,
        max_response_bytes=profile.max_response_bytes if profile.extended_lengths else None,
    )
    contents = {"EF.ATR/INFO": atr_info.to_bytes()}
    offers = pace_infos(profile)
    if offers:
        contents["EF.CardAccess"] = CardAccess(
            security_infos=SecurityInfos(infos=offers)
        ).to_bytes()
    return contents


def build_card_data(profile: CardProfile, facts: CardFacts) -> CardData:
    """Build every data group that the profile has, and EF.COM over them.

    Raises:
        CardDataError: a value does not fit its file.
        IssuerRefusedError: the profile has a file that we cannot fill (``card.unknown-file``), or the
            portrait is out of its bounds (``portrait.size``), or the member is on probation
            (``card.not-recognised``).
    """
    if not profile.portrait_min_bytes <= len(facts.portrait) <= profile.portrait_max_bytes:
        raise IssuerRefusedError(
            f"the portrait has {len(facts.portrait)} bytes, expected {profile.portrait_min_bytes} "
            f"to {profile.portrait_max_bytes}",
            code="portrait.size",
        )
    mrz = _machine_readable_zone(profile, facts)
    is_protected = any(file.name == TRUST_POINTS_FILE for file in profile.application_files)
    built = {
        1: DataGroup1(mrz=mrz).to_bytes(),
        2: Portrait.of_picture(facts.portrait).to_bytes(),
        11: _personal_details(facts).to_bytes(),
        12: _document_details(
            facts.line.issuing_committee,
            facts.valid_from,
            facts.personalised_at,
            facts.personalisation_system,
        ),
        13: _member_record(facts).to_bytes(),
        14: SecurityOptions(
            security_infos=SecurityInfos(
                infos=(
                    *pace_infos(profile),
                    chip_authentication_info(profile),
                    chip_key_info(facts.chip_key),
                    *((TerminalAuthenticationInfo(),) if is_protected else ()),
                )
            )
        ).to_bytes(),
    }
    contents: dict[str, bytes] = {}
    data_groups: dict[int, bytes] = {}
    for file in profile.application_files:
        if file.data_group is None:
            continue
        if file.data_group not in built:
            raise IssuerRefusedError(
                f"profile {profile.name} has {file.name}, which this version cannot fill",
                code="card.unknown-file",
            )
        contents[file.name] = data_groups[file.data_group] = built[file.data_group]
    contents["EF.COM"] = _common_data(tuple(sorted(data_groups)))
    if is_protected:
        contents[TRUST_POINTS_FILE] = _trust_points(profile, facts)
    return CardData(contents=contents, data_groups=data_groups, mrz_information=mrz.information)


@functools.lru_cache(maxsize=16)
def _common_data(groups: tuple[int, ...]) -> bytes:
    """EF.COM, which is the same on all cards of a profile."""
    return CommonData(data_group_tags=tuple(TAG_OF_GROUP[group] for group in groups)).to_bytes()


def _trust_points(profile: CardProfile, facts: CardFacts) -> bytes:
    """What the chip will write to EF.CVCA once it has these trust points."""
    if not facts.trust_points:
        raise IssuerRefusedError(
            f"a card of profile {profile.name} trusts a CVCA, and none that is valid is known",
            code="trust-point.missing",
            hint="membercard-issuer keys import-trust-point CVCA.cvcert",
        )
    return TrustPoints(references=facts.trust_points).to_bytes()


def pace_infos(profile: CardProfile) -> tuple[PaceInfo, ...]:
    """The one PACEInfo of EF.CardAccess and EF.DG14; none on a card without PACE."""
    return () if profile.pace_curve is None else (_pace_info(profile.pace_curve),)


@functools.lru_cache(maxsize=16)
def _pace_info(curve: NamedCurve) -> PaceInfo:
    return PaceInfo(
        protocol=ID_PACE_ECDH_GM_AES_128, version=2, parameter_id=curve.pace_parameter_id
    )


def chip_authentication_info(profile: CardProfile) -> ChipAuthenticationInfo:
    """The one ChipAuthenticationInfo of EF.DG14 (SPEC.md 3.11); with 3DES where nothing better opens the card (5.10)."""
    protocol = ID_CA_ECDH_3DES if profile.pace_curve is None else ID_CA_ECDH_AES_128
    return ChipAuthenticationInfo(protocol=protocol, version=1, key_id=CHIP_KEY_ID)


def chip_key_info(chip_key: EcPublicKey) -> ChipAuthenticationPublicKeyInfo:
    """The chip's key as EF.DG14 announces it."""
    return ChipAuthenticationPublicKeyInfo(
        protocol=ID_PK_ECDH, public_key=chip_key, key_id=CHIP_KEY_ID
    )


def add_years(day: date, years: int) -> date:
    """The same day of a later year; 28 February where that year has no 29th."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def _machine_readable_zone(profile: CardProfile, facts: CardFacts) -> MachineReadableZone:
    person = facts.line.person
    return MachineReadableZone(
        document_code=profile.document_code,
        issuing_state=profile.issuing_state,
        document_number=facts.secrets.document_number,
        birth_date=mrz_date(person.birth_date),
        sex=person.sex.value,
        expiry_date=mrz_date(facts.valid_until),
        nationality=profile.issuing_state,
        name=mrz_name(person.primary_name, person.secondary_name),
    )


@functools.lru_cache(maxsize=64)
def _document_details(
    issuing_committee: str, date_of_issue: date, personalised_at: datetime, system: str
) -> bytes:
    """EF.DG12, which is the same on all cards that one committee has made within a second."""
    return DocumentDetails(
        issuing_committee=issuing_committee,
        date_of_issue=date_of_issue,
        personalised_at=personalised_at,
        personalisation_system=system,
    ).to_bytes()


def _personal_details(facts: CardFacts) -> PersonalDetails:
    person = facts.line.person
    return PersonalDetails(
        primary_name=person.primary_name,
        secondary_name=person.secondary_name,
        birth_date=person.birth_date,
        place_of_birth=person.place_of_birth,
    )


def _member_record(facts: CardFacts) -> MemberRecord:
    line, person = facts.line, facts.line.person
    if person.recognition_date is None:
        raise IssuerRefusedError(
            "the member has not been recognised as an official one", code="card.not-recognised"
        )
    return MemberRecord(
        salt=facts.secrets.salt,
        card_number=line.card_number,
        record_number=person.record_number,
        citizen_number=person.citizen_number,
        full_name=person.full_name,
        primary_name=person.primary_name,
        secondary_name=person.secondary_name,
        organisation_code=person.organisation_code,
        organisation_name=line.organisation_name,
        admission_date=person.admission_date,
        recognition_date=person.recognition_date,
        home_town=person.home_town,
        ethnic_group=person.ethnic_group,
        kind=_KINDS[line.kind],
        ordinal=line.ordinal,
        valid_from=facts.valid_from,
        valid_until=facts.valid_until,
    )
