"""The check that the chip is the original one: SPEC.md, 9.17."""

from card_layout.errors import CardDataError
from card_layout.files.card_security import CardSecurity
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.data_group_15 import ActiveAuthenticationKey
from card_layout.files.security_infos import (
    ChipAuthenticationPublicKeyInfo,
    SecurityInfos,
)
from card_layout.protocols.active_authentication import (
    ActiveAuthenticationError,
    verify_signature,
)
from card_layout.protocols.algorithms import (
    PaceMapping,
    chip_authentication_cipher,
    pace_algorithm,
)
from pki.signed.card_security import CardSecurityObject
from verifier.inspection import shared_parts
from verifier.inspection.checks import CheckFailedError, CheckNotPerformedError
from verifier.inspection.examination import Examination, group_name
from verifier.inspection.snapshot import AccessPath, ChipEvidence, ChipOutcome, FileOutcome

__all__ = ["check_chip_authentication"]

_NOT_PERFORMED = "chip-authentication.not-performed"
_NOT_PROVEN = "chip.not-proven"
_NOT_SIGNED = "active-authentication.not-performed"
_SIGNED = "The chip signed with the key of EF.DG15, which was signed for it."
_CARD_SECURITY = "EF.CardSecurity"
_CARD_SECURITY_NOT_PROVEN = "card-security.not-proven"


def check_chip_authentication(examination: Examination) -> str:
    """9.17: the proven DG14 announces chip authentication, and the chip showed that it holds the key."""
    name = group_name(14)
    has_signed = _judge_active_authentication(examination)
    if examination.evidence(name).outcome is FileOutcome.ABSENT:
        if has_signed:
            return _SIGNED
        raise CheckNotPerformedError(
            _NOT_PERFORMED, "The chip has no EF.DG14: it announces no chip authentication."
        )
    if not examination.is_group_proven(14):
        raise CheckNotPerformedError(
            "data-group.altered", "EF.DG14 is not what was signed, so its key proves nothing."
        )
    options = examination.decoded(name, SecurityOptions)
    if _is_opened_by_mapping(examination):
        return _judge_mapping(examination, options.security_infos)
    is_opened_by_bac = examination.snapshot.access.path is AccessPath.BAC
    if not any(
        chip_authentication_cipher(info.protocol, allow_triple_des=is_opened_by_bac) is not None
        for info in options.security_infos.chip_authentication_infos
    ):
        if has_signed:
            return _SIGNED
        raise CheckNotPerformedError(
            _NOT_PERFORMED, "EF.DG14 announces no chip authentication that this program knows."
        )
    return _judge_outcome(examination, options.security_infos.chip_authentication_keys)


def _judge_active_authentication(examination: Examination) -> bool:
    """Whether the chip has EF.DG15 and signed with its key; one that has it and did not sign is not proven."""
    name = group_name(15)
    evidence = examination.snapshot.files.get(name)
    if evidence is None or evidence.outcome is FileOutcome.ABSENT:
        # A key that was signed and is hidden fails check 9.11.
        return False
    if not examination.is_group_proven(15):
        raise CheckNotPerformedError(
            "data-group.altered", "EF.DG15 is not what was signed, so its key proves nothing."
        )
    signed = examination.snapshot.active_authentication
    if signed is None:
        examination.require_complete_reading()
        raise CheckNotPerformedError(
            "evidence.missing", "The snapshot tells of no active authentication."
        )
    if signed.signature is None:
        raise CheckNotPerformedError(
            _NOT_SIGNED, "The chip did not sign the challenge, although it has a key for it."
        )
    try:
        verify_signature(
            examination.decoded(name, ActiveAuthenticationKey).public_key,
            challenge=signed.challenge,
            signature=signed.signature,
            signature_algorithm=_signature_algorithm(examination),
        )
    except ActiveAuthenticationError as error:
        raise CheckFailedError(
            _NOT_PROVEN, "The chip's signature is not one of the key in the signed EF.DG15."
        ) from error
    return True


def _signature_algorithm(examination: Examination) -> str | None:
    """That of the proven DG14; ``None`` where it names none."""
    if examination.evidence(group_name(14)).content is None or not examination.is_group_proven(14):
        return None
    infos = examination.decoded(group_name(14), SecurityOptions).security_infos
    found = infos.active_authentication_infos
    return found[0].signature_algorithm if len(found) == 1 else None


def _is_opened_by_mapping(examination: Examination) -> bool:
    """Whether PACE itself was to prove the chip (SPEC.md, 5.8)."""
    try:
        used = shared_parts.pace_info(examination.snapshot.access.pace_info or b"")
    except CardDataError:
        return False
    algorithm = pace_algorithm(used.protocol)
    return algorithm is not None and algorithm.mapping is PaceMapping.CHIP_AUTHENTICATION


def _judge_mapping(examination: Examination, proven_infos: SecurityInfos) -> str:
    """The key that PACE proved is that of EF.CardSecurity, which EF.SOD's signer signed, and of the proven DG14."""
    if examination.snapshot.chip.outcome is not ChipOutcome.PROVEN:
        raise CheckFailedError(
            _NOT_PROVEN, "The chip did not prove a key of EF.CardSecurity in PACE."
        )
    content = examination.content(_CARD_SECURITY, code=_CARD_SECURITY_NOT_PROVEN)
    signed = CardSecurityObject.from_bytes(CardSecurity.from_bytes(content).content_info)
    signed.verify_signature()
    if signed.signer_certificate != examination.security_object.signer_certificate:
        raise CheckFailedError(
            _CARD_SECURITY_NOT_PROVEN, "EF.CardSecurity was signed by another signer than EF.SOD."
        )
    infos = SecurityInfos.from_bytes(signed.content)
    if set(infos.pace_infos) != set(proven_infos.pace_infos):
        raise CheckFailedError(
            _CARD_SECURITY_NOT_PROVEN,
            "EF.CardSecurity offers other PACE parameters than EF.DG14.",
        )
    _require_key(examination.snapshot.chip, infos.chip_authentication_keys)
    return _require_key(examination.snapshot.chip, proven_infos.chip_authentication_keys)


def _judge_outcome(
    examination: Examination, keys: tuple[ChipAuthenticationPublicKeyInfo, ...]
) -> str:
    chip = examination.snapshot.chip
    if chip.outcome is ChipOutcome.NOT_ATTEMPTED:
        examination.require_complete_reading()
        raise CheckNotPerformedError(_NOT_PERFORMED, "Chip authentication was not performed.")
    if chip.outcome is ChipOutcome.REFUSED_BY_CHIP:
        raise CheckNotPerformedError(
            _NOT_PERFORMED,
            "The chip refused the chip authentication that its signed data announces.",
        )
    if chip.outcome is ChipOutcome.FAILED:
        raise CheckFailedError(
            _NOT_PROVEN, "The chip does not hold the private key that was signed for it."
        )
    return _require_key(chip, keys)


def _require_key(chip: ChipEvidence, keys: tuple[ChipAuthenticationPublicKeyInfo, ...]) -> str:
    """The key that the chip proved is one of these."""
    if chip.public_key is None:
        raise CheckNotPerformedError(
            "evidence.missing", "The snapshot does not say which key the chip proved."
        )
    for key in keys:
        if chip.key_id == key.key_id and (
            chip.public_key == key.public_key.to_subject_public_key_info(explicit=True)
            or chip.public_key == key.public_key.to_subject_public_key_info(explicit=False)
        ):
            return "The chip proved that it holds the private key that was signed for it."
    raise CheckFailedError(_NOT_PROVEN, "The key that the chip proved is not the signed one.")
