"""A complete operational card, made directly: what an issuer's whole line would have left on a chip (SPEC.md, 3 and 7)."""

from collections.abc import Container
from dataclasses import replace
from datetime import UTC, date, datetime
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.atr import CAPABILITIES_EXTENDED, CAPABILITIES_SHORT, LifeCycle, encode_atr
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
from card_layout.files.registry import CardFile
from card_layout.files.security_infos import (
    ID_CA_ECDH_3DES,
    ID_CA_ECDH_AES_128,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
    SecurityInfos,
)
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.files.terminal_authentication_info import TerminalAuthenticationInfo
from card_layout.mrz import MachineReadableZone
from card_layout.names import mrz_name, to_nfc
from card_layout.profile import AccessRule, CardProfile, load_profile
from pki.certificates.profile import add_months
from pki.signed.security_object import StatusReference, sign_security_object
from simulators.authority import SignerKind, TestAuthority
from simulators.image import (
    CardImage,
    EcKey,
    ImageFile,
    Keys,
    Limits,
    PersonalisationKeys,
    ReadRule,
    Secrets,
)
from simulators.image_keys import SessionAlgorithm
from simulators.population.member import ISSUING_COMMITTEE, IssueKind, SyntheticMember

__all__ = [
    "DEFAULT_PROFILE",
    "TestAuthority",
    "data_groups",
    "draw_chip_key",
    "issue_image",
    "sign_image",
]

DEFAULT_PROFILE = "membercard-1-icao"

_CHIP_KEY_ID = 1
_PERSONALISATION_KEY_VERSION = 0x30
_CARD_MONTHS = 120
_MRZ_NAME_CHARACTERS = 30
_DOCUMENT_NUMBER_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

_KINDS = {
    IssueKind.FIRST_ISSUE: CardKind.FIRST_ISSUE,
    IssueKind.EXCHANGE: CardKind.EXCHANGE,
    IssueKind.RE_ISSUE: CardKind.RE_ISSUE,
}


def issue_image(
    member: SyntheticMember,
    *,
    authority: TestAuthority,
    profile: CardProfile | str = DEFAULT_PROFILE,
    random: Random | None = None,
    can: str | None = None,
    signer: SignerKind = SignerKind.CURRENT,
    signing_time: datetime | None = None,
    valid_until: date | None = None,
    status_reference: StatusReference | None = None,
) -> CardImage:
    """Issue a card.

    Args:
        member: whose card it is.
        authority: signs it.
        profile: the card profile, or its name.
        random: where chance comes from; a seeded one gives the same card but for keys and signature.
        can: six digits; drawn where absent.
        signer: which of the authority's document signers signs.
        signing_time: aware; the authority's own time where absent.
        valid_until: ten years after the signing where absent.
        status_reference: drawn where absent.
    """
    chosen = load_profile(profile) if isinstance(profile, str) else profile
    chance = Random() if random is None else random
    moment = (authority.created_at if signing_time is None else signing_time).astimezone(UTC)
    moment = moment.replace(microsecond=0)
    end = add_months(moment, _CARD_MONTHS).date() if valid_until is None else valid_until
    zone = _machine_readable_zone(chance, member, chosen, valid_until=end)
    has_pace = chosen.pace_curve is not None
    algorithm = SessionAlgorithm.AES_128 if has_pace else SessionAlgorithm.TRIPLE_DES
    chip_key = replace(draw_chip_key(chosen.chip_authentication_curve), algorithms=(algorithm,))
    contents: dict[str, CardFile] = {
        "EF.ATR/INFO": _atr_info(chosen),
        "EF.DG1": DataGroup1(mrz=zone),
        "EF.DG2": Portrait.of_picture(member.portrait),
        "EF.DG11": PersonalDetails(
            primary_name=_primary(member),
            secondary_name=_secondary(member),
            birth_date=member.birth_date,
            place_of_birth=member.place_of_birth,
        ),
        "EF.DG12": DocumentDetails(
            issuing_committee=ISSUING_COMMITTEE.name,
            date_of_issue=moment.date(),
            personalised_at=moment,
            personalisation_system="membercard-simulator",
        ),
        "EF.DG13": _member_record(chance, member, valid_from=moment.date(), valid_until=end),
        "EF.DG14": SecurityOptions(security_infos=_security_options(chosen, chip_key)),
    }
    offers = _pace_infos(chosen)
    if offers:
        contents["EF.CardAccess"] = CardAccess(security_infos=SecurityInfos(infos=offers))
    groups = sorted(file.data_group for file in chosen.files if file.data_group is not None)
    contents["EF.COM"] = CommonData(data_group_tags=tuple(TAG_OF_GROUP[group] for group in groups))
    image = CardImage(
        profile=chosen.name,
        state=LifeCycle.OPERATIONAL,
        serial=chance.randbytes(10),
        atr=encode_atr(LifeCycle.OPERATIONAL, extended_lengths=chosen.extended_lengths),
        card_reference=chance.randbytes(16),
        limits=Limits(
            extended_lengths=chosen.extended_lengths,
            max_command_bytes=chosen.max_command_bytes,
            max_response_bytes=chosen.max_response_bytes,
        ),
        applications={chosen.application_identifier: chosen.application_file_identifier},
        files={
            file.path: ImageFile(
                data=contents[file.name].to_bytes() if file.name in contents else b"",
                read=_READ_RULES[file.read],
                short_identifier=file.short_identifier,
                capacity=file.capacity,
            )
            for file in chosen.files
        },
        secrets=Secrets(
            can=f"{chance.randrange(1_000_000):06d}" if can is None else can,
            mrz_information=zone.information,
            basic_access_control=not has_pace,
        ),
        keys=Keys(
            chip_authentication=(chip_key,),
            personalisation=PersonalisationKeys(
                key_version=_PERSONALISATION_KEY_VERSION,
                enc=chance.randbytes(16),
                mac=chance.randbytes(16),
                dek=chance.randbytes(16),
            ),
        ),
    )
    return sign_image(
        image,
        profile=chosen,
        authority=authority,
        signer=signer,
        signing_time=moment,
        status_reference=StatusReference(
            list_id=chance.randbytes(8), index=chance.randrange(1 << 20)
        )
        if status_reference is None
        else status_reference,
    )


def sign_image(
    image: CardImage,
    *,
    profile: CardProfile,
    authority: TestAuthority,
    signer: SignerKind = SignerKind.CURRENT,
    signing_time: datetime,
    status_reference: StatusReference,
    without: Container[int] = (),
) -> CardImage:
    """The image with a new EF.SOD over its data groups, those of ``without`` left out."""
    key = authority.signers[signer]
    content_info = sign_security_object(
        signer=key.signer,
        certificate_der=key.certificate,
        file_hashes={
            group: key.signer.algorithm.hash_algorithm.digest(data)
            for group, data in data_groups(image, profile).items()
            if group not in without
        },
        signing_time=signing_time,
        status_reference=status_reference,
    )
    path = profile.file("EF.SOD").path
    content = SecurityObjectFile(content_info=content_info).to_bytes()
    return image.with_file(path, replace(image.files[path], data=content))


def data_groups(image: CardImage, profile: CardProfile) -> dict[int, bytes]:
    """Number and whole file of every data group on the card, in ascending order."""
    found = {
        file.data_group: image.files[file.path].data
        for file in profile.files
        if file.data_group is not None and file.path in image.files
    }
    return dict(sorted(found.items()))


def draw_chip_key(curve: NamedCurve) -> EcKey:
    """A new chip-authentication key; keys are never drawn from a seed."""
    private_key = ec.generate_private_key(curve.to_cryptography())
    return EcKey(
        curve=curve,
        private_scalar=private_key.private_numbers().private_value,
        key_id=_CHIP_KEY_ID,
    )


_READ_RULES = {
    AccessRule.ALWAYS: ReadRule.ALWAYS,
    AccessRule.PASSWORD: ReadRule.PASSWORD,
    AccessRule.TERMINAL: ReadRule.TERMINAL,
    AccessRule.NEVER: ReadRule.NEVER,
}


def _primary(member: SyntheticMember) -> str:
    """The whole name where its parts are not known apart (SPEC.md, 3.10)."""
    return member.name.primary or member.name.full


def _secondary(member: SyntheticMember) -> str:
    return member.name.secondary if member.name.primary else ""


def _machine_readable_zone(
    chance: Random, member: SyntheticMember, profile: CardProfile, *, valid_until: date
) -> MachineReadableZone:
    return MachineReadableZone(
        document_code=profile.document_code,
        issuing_state=profile.issuing_state,
        document_number="".join(chance.choices(_DOCUMENT_NUMBER_CHARACTERS, k=9)),
        birth_date=f"{member.birth_date:%y%m%d}",
        sex=member.sex,
        expiry_date=f"{valid_until:%y%m%d}",
        nationality=profile.issuing_state,
        name=mrz_name(_primary(member), _secondary(member), _MRZ_NAME_CHARACTERS),
    )


def _member_record(
    chance: Random, member: SyntheticMember, *, valid_from: date, valid_until: date
) -> MemberRecord:
    return MemberRecord(
        salt=chance.randbytes(16),
        card_number=member.card_number.replace(".", ""),
        record_number=member.record_number,
        citizen_number=member.citizen_number,
        full_name=to_nfc(member.name.full),
        primary_name=_primary(member),
        secondary_name=_secondary(member),
        organisation_code=member.organisation.code,
        organisation_name=member.organisation.name,
        admission_date=member.admission_date,
        recognition_date=member.recognition_date,
        home_town=member.home_town,
        ethnic_group=member.name.ethnic_group,
        kind=_KINDS[member.kind],
        ordinal=member.ordinal,
        valid_from=valid_from,
        valid_until=valid_until,
    )


def _atr_info(profile: CardProfile) -> AtrInfo:
    if not profile.extended_lengths:
        return AtrInfo(capabilities=CAPABILITIES_SHORT)
    return AtrInfo(
        capabilities=CAPABILITIES_EXTENDED,
        max_command_bytes=profile.max_command_bytes,
        max_response_bytes=profile.max_response_bytes,
    )


def _pace_infos(profile: CardProfile) -> tuple[PaceInfo, ...]:
    if profile.pace_curve is None:
        return ()
    return (PaceInfo(parameter_id=profile.pace_curve.pace_parameter_id),)


def _security_options(profile: CardProfile, chip_key: EcKey) -> SecurityInfos:
    private_key = ec.derive_private_key(chip_key.private_scalar, chip_key.curve.to_cryptography())
    return SecurityInfos(
        infos=(
            *_pace_infos(profile),
            ChipAuthenticationInfo(
                protocol=ID_CA_ECDH_3DES if profile.pace_curve is None else ID_CA_ECDH_AES_128,
                key_id=chip_key.key_id,
            ),
            ChipAuthenticationPublicKeyInfo(
                public_key=EcPublicKey.from_cryptography(private_key.public_key()),
                key_id=chip_key.key_id,
            ),
            # Which keys the chip trusts is for whoever wants a terminal let in; without any it lets none in.
            *((TerminalAuthenticationInfo(),) if _checks_terminals(profile) else ()),
        )
    )


def _checks_terminals(profile: CardProfile) -> bool:
    """Whether a profile keeps files for terminals with a right (SPEC.md, 3.13)."""
    return any(file.name == "EF.CVCA" for file in profile.files)
