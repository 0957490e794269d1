"""The facts behind each step of an inspection: which file or certificate it looked at, and what it compared.

A fact that cannot be had, because the evidence is missing or malformed, is left out: the step's own code says why.
Nothing here judges.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final

from card_layout.atr import read_life_cycle
from card_layout.curves import EcPublicKey, curve_for_pace_parameter
from card_layout.errors import CardError
from card_layout.files.atr_info import AtrInfo
from card_layout.files.card_access import CardAccess
from card_layout.files.common_data import CommonData
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.data_groups import GROUP_OF_TAG, TAG_OF_GROUP
from card_layout.files.security_infos import PaceInfo
from card_layout.files.trust_points import TrustPoints
from card_layout.protocols.algorithms import pace_algorithm
from pki.certificates.names import name_text
from pki.certificates.trust import load_signer
from pki.errors import PkiError
from verifier.inspection.access_checks import usable_pace_infos
from verifier.inspection.checks import CheckName
from verifier.inspection.examination import PROTECTED_GROUPS, group_name
from verifier.inspection.explained_material import Fact, Material
from verifier.inspection.explained_status import card_status_facts, status_reference_facts
from verifier.inspection.holder import Holder
from verifier.inspection.messages import FactName
from verifier.inspection.snapshot import AccessPath, FileOutcome

__all__ = ["access_facts", "facts_of_check"]


Finder = Callable[[Material, Holder | None], Iterator[Fact]]


def access_facts(material: Material) -> tuple[Fact, ...]:
    """What the chip offered, what the policy allowed, what was chosen, and why (SPEC.md, 5.1 and 9.2)."""
    access = material.snapshot.access
    allowed = (f"PACE {_parameter(item)}" for item in sorted(material.policy.pace_parameter_ids))
    offered = _pace_infos(material)
    if offered is not None:
        offer = "; ".join(map(_pace_text, offered)) or "no-pace"
    else:
        evidence = material.snapshot.files.get("EF.CardAccess")
        offer = "unknown" if evidence is None else f"file-{evidence.outcome.value}"
    found = [
        Fact(name=FactName.OFFERED, value=offer),
        Fact(name=FactName.ALLOWED, value=", ".join(allowed)),
        Fact(
            name=FactName.BASIC_ACCESS_CONTROL,
            value="named-by-policy" if material.policy.allow_bac else "not-named-by-policy",
        ),
    ]
    if access.pace_info is not None:
        found.append(Fact(name=FactName.CHOSEN, value=_used(access.pace_info)))
    elif access.path is AccessPath.BAC:
        found.append(Fact(name=FactName.CHOSEN, value="BAC"))
    found += [
        Fact(name=FactName.REASON, value=_reason(material, offered)),
        Fact(name=FactName.PASSWORD, value=access.path.value),
        Fact(name=FactName.OUTCOME, value=access.outcome.value),
    ]
    return tuple(found)


def facts_of_check(name: CheckName, material: Material, holder: Holder | None) -> tuple[Fact, ...]:
    """What a step looked at; ``holder`` is given where the holder's values may be shown."""
    found: list[Fact] = []
    finder = _FINDERS.get(name)
    if finder is None:
        return ()
    try:
        found.extend(item for item in finder(material, holder) if item.value)
    except (CardError, PkiError):
        # The step itself says what is wrong with the file that this fact is about.
        return tuple(found)
    return tuple(found)


def _reason(material: Material, offered: tuple[PaceInfo, ...] | None) -> str:
    if material.snapshot.access.path is AccessPath.BAC:
        return "bac-named"
    if offered is None:
        return "nothing-offered"
    usable = usable_pace_infos(offered, material.policy.pace_parameter_ids)
    if not usable:
        return "nothing-usable"
    return "first-usable" if len(usable) < len(offered) or len(offered) > 1 else "only-offer"


def _pace_infos(material: Material) -> tuple[PaceInfo, ...] | None:
    content = material.snapshot.content("EF.CardAccess")
    try:
        return CardAccess.from_bytes(content or b"").security_infos.pace_infos
    except CardError:
        return None


def _parameter(number: int | None) -> str:
    try:
        return f"{number} ({curve_for_pace_parameter(-1 if number is None else number).label})"
    except CardError:
        return str(number)


def _pace_text(info: PaceInfo) -> str:
    algorithm = pace_algorithm(info.protocol)
    if algorithm is None:
        return f"{info.protocol} {_parameter(info.parameter_id)}"
    mapping = algorithm.mapping.name.replace("_", " ").lower()
    cipher = algorithm.cipher.name.replace("_", "-")
    return f"PACE {mapping} mapping, {cipher}, {_parameter(info.parameter_id)}"


def _used(encoded: bytes) -> str:
    try:
        return _pace_text(PaceInfo.from_bytes(encoded))
    except CardError:
        return "unknown"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _period(start: datetime, end: datetime) -> str:
    return f"{_moment(start)} - {_moment(end)}"


def _life_cycle(material: Material, _: Holder | None) -> Iterator[Fact]:
    atr = material.snapshot.atr or b""
    yield Fact(name=FactName.ATR, value=atr.hex(" ").upper())
    state = read_life_cycle(atr)
    yield Fact(name=FactName.FOUND, value="unknown" if state is None else state.name.lower())
    yield Fact(name=FactName.EXPECTED, value="operational")


def _access(material: Material, _: Holder | None) -> Iterator[Fact]:
    yield Fact(name=FactName.FILE, value="EF.CardAccess")
    yield from (
        item for item in access_facts(material) if item.name in (FactName.CHOSEN, FactName.OUTCOME)
    )


def _syntax(material: Material, _: Holder | None) -> Iterator[Fact]:
    yield Fact(name=FactName.FILE, value="EF.SOD")
    security_object = material.security_object()
    yield Fact(name=FactName.LISTED, value=_groups(security_object.file_hashes))
    yield Fact(name=FactName.DIGEST, value=security_object.file_hash_algorithm.name)


def _signature(material: Material, _: Holder | None) -> Iterator[Fact]:
    security_object = material.security_object()
    yield Fact(name=FactName.CERTIFICATE, value=_serial(security_object.signer_serial_number))
    algorithm = security_object.signature_algorithm
    if isinstance(algorithm, Enum):
        yield Fact(name=FactName.SIGNATURE_ALGORITHM, value=algorithm.name)
    yield Fact(name=FactName.DIGEST, value=security_object.hash_algorithm.name)


def _signing_time(material: Material, _: Holder | None) -> Iterator[Fact]:
    moment = material.security_object().signing_time
    yield Fact(name=FactName.SIGNED_AT, value="" if moment is None else _moment(moment))
    yield Fact(name=FactName.JUDGED_AT, value=_moment(material.now))


def _certificate(material: Material, _: Holder | None) -> Iterator[Fact]:
    security_object = material.security_object()
    yield Fact(name=FactName.CERTIFICATE, value=_serial(security_object.signer_serial_number))
    signer = load_signer(security_object.signer_certificate)
    yield Fact(name=FactName.SUBJECT, value=signer.name)
    yield Fact(name=FactName.DOCUMENT_CODES, value=", ".join(sorted(signer.document_codes)))
    yield Fact(name=FactName.ALLOWED_CODES, value=", ".join(sorted(material.policy.document_codes)))


def _path(material: Material, _: Holder | None) -> Iterator[Fact]:
    issuer = name_text(material.security_object().signer_issuer)
    yield Fact(name=FactName.ISSUER, value=issuer)
    yield Fact(
        name=FactName.TRUSTED,
        value="; ".join(authority.name for authority in material.trust.authorities),
    )


def _validity(material: Material, _: Holder | None) -> Iterator[Fact]:
    moment = material.security_object().signing_time
    yield Fact(name=FactName.SIGNED_AT, value="" if moment is None else _moment(moment))
    yield Fact(name=FactName.JUDGED_AT, value=_moment(material.now))
    signer = material.signer()
    yield Fact(name=FactName.CERTIFICATE_PERIOD, value=_period(signer.not_before, signer.not_after))
    yield Fact(
        name=FactName.KEY_PERIOD,
        value=_period(signer.key_use_not_before, signer.key_use_not_after),
    )


def _revocation(material: Material, _: Holder | None) -> Iterator[Fact]:
    security_object = material.security_object()
    yield Fact(name=FactName.CERTIFICATE, value=_serial(security_object.signer_serial_number))
    for crl in material.trust.revocation_lists:
        yield Fact(
            name=FactName.REVOCATION_LIST,
            value=f"{name_text(crl.issuer)}: {_period(crl.this_update, crl.next_update)}, "
            f"{len(crl.revoked)}",
        )
    for stop in material.trust.stop_lists:
        yield Fact(
            name=FactName.STOP_LIST,
            value=f"{stop.number}: {_period(stop.this_update, stop.next_update)}, {len(stop.stopped)}",
        )


def _integrity(material: Material, _: Holder | None) -> Iterator[Fact]:
    security_object = material.security_object()
    equal: list[str] = []
    different: list[str] = []
    for number, listed in sorted(security_object.file_hashes.items()):
        content = material.snapshot.content(group_name(number))
        if content is not None:
            is_equal = security_object.file_hash_algorithm.digest(content) == listed
            (equal if is_equal else different).append(group_name(number))
    yield Fact(name=FactName.DIGEST, value=security_object.file_hash_algorithm.name)
    yield Fact(name=FactName.EQUAL, value=", ".join(equal))
    yield Fact(name=FactName.DIFFERENT, value=", ".join(different))


def _coverage(material: Material, _: Holder | None) -> Iterator[Fact]:
    groups = {group_name(number) for number in TAG_OF_GROUP}
    for name, outcomes in (
        (FactName.READ, (FileOutcome.READ,)),
        (FactName.ABSENT, (FileOutcome.ABSENT,)),
        (FactName.REFUSED, (FileOutcome.REFUSED,)),
        (FactName.MALFORMED, (FileOutcome.MALFORMED,)),
        (FactName.NOT_REQUESTED, (FileOutcome.NOT_REQUESTED,)),
    ):
        names = [item for item in material.names_of(*outcomes).split(", ") if item in groups]
        yield Fact(name=name, value=", ".join(names))
    yield Fact(name=FactName.LISTED, value=_groups(material.security_object().file_hashes))


def _common_data(material: Material, _: Holder | None) -> Iterator[Fact]:
    yield Fact(name=FactName.FILE, value="EF.COM")
    common = CommonData.from_bytes(material.snapshot.content("EF.COM") or b"")
    named = {GROUP_OF_TAG[tag]: b"" for tag in common.data_group_tags}
    yield Fact(name=FactName.NAMED, value=_groups(named))
    yield Fact(
        name=FactName.VERSIONS, value=f"LDS {common.lds_version}, Unicode {common.unicode_version}"
    )
    security_object = material.security_object()
    yield Fact(name=FactName.LISTED, value=_groups(security_object.file_hashes))
    stated = security_object.lds_version.stated
    if stated is not None:
        yield Fact(name=FactName.SIGNED_VERSIONS, value=f"LDS {stated[0]}, Unicode {stated[1]}")


def _parameters(material: Material, _: Holder | None) -> Iterator[Fact]:
    yield Fact(
        name=FactName.ANNOUNCED, value="; ".join(map(_pace_text, _pace_infos(material) or ()))
    )
    options = SecurityOptions.from_bytes(material.snapshot.content("EF.DG14") or b"")
    signed = options.security_infos.pace_infos
    yield Fact(name=FactName.SIGNED, value="; ".join(map(_pace_text, signed)))
    used = material.snapshot.access.pace_info
    yield Fact(name=FactName.USED, value="" if used is None else _used(used))


def _content(material: Material, _: Holder | None) -> Iterator[Fact]:
    yield Fact(name=FactName.READ, value=material.names_of(FileOutcome.READ))
    yield Fact(name=FactName.MALFORMED, value=material.names_of(FileOutcome.MALFORMED))
    info = AtrInfo.from_bytes(material.snapshot.content("EF.ATR/INFO") or b"")
    if info.max_command_bytes is not None:
        yield Fact(
            name=FactName.LENGTHS, value=f"{info.max_command_bytes}, {info.max_response_bytes}"
        )


def _holder(material: Material, holder: Holder | None) -> Iterator[Fact]:
    read = [name for name in ("EF.DG1", "EF.DG11", "EF.DG13") if material.snapshot.content(name)]
    yield Fact(name=FactName.FILE, value=", ".join(read))
    is_own = material.snapshot.access.is_password_of_data
    if is_own is not None:
        yield Fact(name=FactName.ZONE_GIVEN, value="equal" if is_own else "different")
    if holder is not None:
        yield Fact(name=FactName.NAME, value=holder.full_name or "")
        yield Fact(
            name=FactName.BORN, value="" if holder.birth_date is None else str(holder.birth_date)
        )
        yield Fact(name=FactName.STATE, value=holder.issuing_state or "")
    yield Fact(name=FactName.SIGNERS_STATE, value=material.signer().country)
    yield Fact(
        name=FactName.ALLOWED_STATES,
        value=", ".join(f"{zone} = {name}" for zone, name in material.policy.states.items()),
    )


def _card_validity(material: Material, holder: Holder | None) -> Iterator[Fact]:
    if holder is not None and holder.valid_until is not None:
        yield Fact(name=FactName.VALID_UNTIL, value=str(holder.valid_until))
    yield Fact(name=FactName.JUDGED_AT, value=_moment(material.now))


def _chip(material: Material, _: Holder | None) -> Iterator[Fact]:
    chip = material.snapshot.chip
    yield Fact(name=FactName.FILE, value="EF.DG14")
    yield Fact(name=FactName.OUTCOME, value=chip.outcome.value)
    if chip.key_id is not None:
        yield Fact(name=FactName.KEY_NUMBER, value=str(chip.key_id))
    if material.snapshot.active_authentication is not None:
        signed = material.snapshot.active_authentication.signature is not None
        yield Fact(name=FactName.ACTIVE_AUTHENTICATION, value="signed" if signed else "not-signed")
    if chip.public_key is not None:
        key = EcPublicKey.from_subject_public_key_info(chip.public_key)
        yield Fact(name=FactName.CURVE, value=key.curve.label)


def _terminal(material: Material, _: Holder | None) -> Iterator[Fact]:
    evidence = material.snapshot.terminal
    if evidence is None:
        yield Fact(name=FactName.OUTCOME, value="not-announced")
        return
    yield Fact(name=FactName.OUTCOME, value=evidence.outcome.value)
    yield Fact(name=FactName.TRUST_POINT, value=evidence.trust_point or "")
    yield Fact(name=FactName.CHAIN, value=" > ".join(evidence.chain))
    yield Fact(
        name=FactName.GRANTED, value=", ".join(group_name(number) for number in evidence.granted)
    )
    points = TrustPoints.from_bytes(material.snapshot.content("EF.CVCA") or b"")
    yield Fact(
        name=FactName.CHIPS_TRUST_POINTS,
        value=", ".join(item.decode("latin-1") for item in points.references),
    )


def _protected(material: Material, _: Holder | None) -> Iterator[Fact]:
    protected = {group_name(number) for number in PROTECTED_GROUPS}
    for name, outcome in (
        (FactName.READ, FileOutcome.READ),
        (FactName.NOT_REQUESTED, FileOutcome.NOT_REQUESTED),
        (FactName.REFUSED, FileOutcome.REFUSED),
    ):
        names = [item for item in material.names_of(outcome).split(", ") if item in protected]
        yield Fact(name=name, value=", ".join(names))


def _portrait(material: Material, _: Holder | None) -> Iterator[Fact]:
    yield Fact(name=FactName.FILE, value="EF.DG2" if material.snapshot.content("EF.DG2") else "")


def _groups(numbers: Mapping[int, bytes]) -> str:
    return ", ".join(group_name(number) for number in sorted(numbers))


def _serial(number: int) -> str:
    return f"{number:X}"


_FINDERS: Final[Mapping[CheckName, Finder]] = MappingProxyType(
    {
        CheckName.LIFE_CYCLE: _life_cycle,
        CheckName.PACE: _access,
        CheckName.SECURITY_OBJECT_SYNTAX: _syntax,
        CheckName.SECURITY_OBJECT_SIGNATURE: _signature,
        CheckName.SECURITY_OBJECT_SIGNING_TIME: _signing_time,
        CheckName.SIGNER_CERTIFICATE: _certificate,
        CheckName.SIGNER_PATH: _path,
        CheckName.SIGNER_VALIDITY: _validity,
        CheckName.SIGNER_REVOCATION: _revocation,
        CheckName.DATA_GROUPS_INTEGRITY: _integrity,
        CheckName.DATA_GROUPS_COVERAGE: _coverage,
        CheckName.COMMON_DATA_CONSISTENCY: _common_data,
        CheckName.ACCESS_PARAMETERS_SIGNED: _parameters,
        CheckName.DATA_GROUPS_CONTENT: _content,
        CheckName.HOLDER_CONSISTENCY: _holder,
        CheckName.CARD_VALIDITY: _card_validity,
        CheckName.CHIP_AUTHENTICATION: _chip,
        CheckName.STATUS_REFERENCE: status_reference_facts,
        CheckName.CARD_STATUS: card_status_facts,
        CheckName.TERMINAL_AUTHENTICATION: _terminal,
        CheckName.PROTECTED_DATA_GROUPS: _protected,
        CheckName.PORTRAIT: _portrait,
    }
)
