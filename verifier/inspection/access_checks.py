"""The checks of the card's state and of the way in: SPEC.md, 9.1, 9.2 and 9.13."""

from collections.abc import Iterable
from functools import lru_cache

from card_layout.atr import LifeCycle
from card_layout.curves import NamedCurve
from card_layout.errors import CardDataError
from card_layout.files.card_access import CardAccess
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.security_infos import PaceInfo
from card_layout.protocols.algorithms import PaceAlgorithm, PaceMapping, pace_algorithm
from verifier.inspection import shared_parts
from verifier.inspection.checks import CheckFailedError, CheckName, CheckNotPerformedError
from verifier.inspection.examination import Examination, group_name
from verifier.inspection.snapshot import AccessEvidence, AccessOutcome, AccessPath, FileOutcome

__all__ = ["check_life_cycle", "check_pace", "check_parameters_signed", "usable_pace_infos"]

_CARD_ACCESS = "EF.CardAccess"
_PACE_VERSION = 2
_CURVES = {curve.pace_parameter_id: curve for curve in NamedCurve}


def usable_pace_infos(
    infos: Iterable[PaceInfo], parameter_ids: frozenset[int]
) -> tuple[PaceInfo, ...]:
    """Those that this program speaks and the policy allows, in the order in which this program wants them.

    The order in which they stand on the card is nobody's word: whoever sits between could turn it round (SPEC.md, 5.12).
    """
    spoken = [
        (algorithm, info)
        for info in infos
        if (algorithm := pace_algorithm(info.protocol)) is not None
        and info.version == _PACE_VERSION
        and info.parameter_id in parameter_ids
    ]
    return tuple(info for _, info in sorted(spoken, key=_preference))


@lru_cache(maxsize=64)
def _allowed(card_access: bytes, parameter_ids: frozenset[int]) -> tuple[PaceInfo, ...]:
    """The usable ones of an EF.CardAccess; cached by its bytes, because all cards of a profile have the same."""
    infos = shared_parts.card_access(card_access).security_infos.pace_infos
    return usable_pace_infos(infos, parameter_ids)


def _preference(offer: tuple[PaceAlgorithm, PaceInfo]) -> tuple[bool, int, int, int, int]:
    """Smaller is better: a proof of the chip, then the longer key, then the larger curve; the rest makes it one order."""
    algorithm, info = offer
    curve = None if info.parameter_id is None else _CURVES.get(info.parameter_id)
    return (
        algorithm.mapping is not PaceMapping.CHIP_AUTHENTICATION,
        -algorithm.cipher.key_bytes,
        0 if curve is None else -curve.field_bytes,
        info.parameter_id or 0,
        algorithm.mapping.value,
    )


def check_life_cycle(examination: Examination) -> str:
    """9.1: the ATR's status indicator is 05."""
    atr = examination.snapshot.atr
    if atr is None:
        examination.require_complete_reading()
        raise CheckNotPerformedError("evidence.missing", "The snapshot holds no ATR.")
    try:
        life_cycle = shared_parts.life_cycle(atr)
    except CardDataError as error:
        raise CheckFailedError(
            "card.not-operational", "The chip's answer to reset is malformed, so it tells no state."
        ) from error
    if life_cycle is None:
        raise CheckFailedError("card.not-operational", "The chip does not tell its state.")
    if life_cycle is not LifeCycle.OPERATIONAL:
        raise CheckFailedError(
            "card.not-operational",
            f"The chip is in the state {life_cycle.name.lower()}, expected operational.",
        )
    return "The chip is in the state operational."


def check_pace(examination: Examination) -> str:
    """9.2: EF.CardAccess offers a PACE that policy allows, and PACE with it succeeded.

    A chip without the file may have been opened by basic access control, where the policy names that.
    """
    access = examination.snapshot.access
    if access.path is AccessPath.BAC:
        return _check_basic_access_control(examination)
    if access.outcome is AccessOutcome.NOT_ATTEMPTED:
        # In another state a chip opens no session (SPEC.md, 6.2), so it is not asked to.
        examination.require(CheckName.LIFE_CYCLE)
    allowed = _allowed_infos(examination)
    if access.outcome is AccessOutcome.WRONG_PASSWORD:
        raise CheckFailedError(
            "access.wrong-password", "The chip did not take the password that was given."
        )
    if access.outcome is AccessOutcome.FAILED:
        raise CheckFailedError("access.pace-failed", "The chip broke PACE off.")
    if access.outcome is not AccessOutcome.SUCCEEDED or access.path is AccessPath.NONE:
        examination.require_complete_reading()
        raise CheckNotPerformedError("evidence.missing", "The snapshot tells of no PACE.")
    if access.pace_info is None:
        raise CheckNotPerformedError(
            "evidence.missing", "The snapshot does not say with which parameters PACE was done."
        )
    used = _used_info(access)
    if used not in allowed:
        raise CheckFailedError(
            "access.pace-unsupported",
            "PACE was done with parameters that the chip did not announce or the policy does not allow.",
        )
    return f"PACE with domain parameters {used.parameter_id} succeeded."


def _check_basic_access_control(examination: Examination) -> str:
    is_absent = examination.evidence(_CARD_ACCESS).outcome is FileOutcome.ABSENT
    if not (is_absent and examination.policy.allow_bac):
        raise CheckFailedError(
            "access.pace-required",
            "The chip was opened by basic access control, which the policy does not allow for it.",
        )
    outcome = examination.snapshot.access.outcome
    if outcome is AccessOutcome.WRONG_PASSWORD:
        raise CheckFailedError(
            "access.wrong-password", "The chip did not take the machine-readable zone."
        )
    if outcome is AccessOutcome.FAILED:
        raise CheckFailedError("access.bac-failed", "The chip broke basic access control off.")
    if outcome is not AccessOutcome.SUCCEEDED:
        examination.require_complete_reading()
        raise CheckNotPerformedError(
            "evidence.missing", "The snapshot tells of no successful basic access control."
        )
    return "The chip offers no PACE; basic access control, which the policy allows, succeeded."


def check_parameters_signed(examination: Examination) -> str:
    """9.13: the PACEInfos of EF.CardAccess are those of DG14, and the ones used are among them."""
    code = "access.parameters-not-signed"
    if examination.snapshot.access.path is AccessPath.BAC:
        return _check_no_parameters_signed(examination)
    if examination.snapshot.content(_CARD_ACCESS) is None:
        # Why there is no EF.CardAccess has been said in 9.2.
        examination.require(CheckName.PACE)
    announced = _card_access(examination).security_infos.pace_infos
    options = examination.decoded(group_name(14), SecurityOptions)
    signed = options.security_infos.pace_infos
    # DER writes each value in one way only, so equal values are equal bytes; a set has no order.
    if announced != signed and set(announced) != set(signed):
        raise CheckFailedError(
            code, "EF.CardAccess announces other PACE parameters than the signed EF.DG14."
        )
    used = examination.snapshot.access.pace_info
    if used is None:
        examination.require(CheckName.PACE)
        raise CheckNotPerformedError(
            "evidence.missing", "The snapshot does not say with which parameters PACE was done."
        )
    if all(used != info.to_bytes() for info in signed):
        raise CheckFailedError(code, "PACE was done with parameters that nobody signed.")
    return "The access parameters announced before PACE are the signed ones."


def _check_no_parameters_signed(examination: Examination) -> str:
    """A chip that hides a signed PACE, or whose EF.CardAccess somebody hides, was talked down."""
    examination.require(CheckName.PACE, CheckName.DATA_GROUPS_COVERAGE)
    if examination.evidence(group_name(14)).outcome is not FileOutcome.ABSENT:
        options = examination.decoded(group_name(14), SecurityOptions)
        if options.security_infos.pace_infos:
            raise CheckFailedError(
                "access.parameters-not-signed",
                "The signed EF.DG14 offers PACE, and the chip was opened without it.",
            )
    return "The chip announced no PACE, and none was signed."


def _allowed_infos(examination: Examination) -> tuple[PaceInfo, ...]:
    evidence = examination.evidence(_CARD_ACCESS)
    if evidence.outcome in (FileOutcome.ABSENT, FileOutcome.REFUSED):
        raise CheckFailedError(
            "access.pace-required",
            "The chip has no readable EF.CardAccess, so it does not offer PACE; no other way in is tried.",
        )
    if not _card_access(examination).security_infos.pace_infos:
        raise CheckFailedError("access.pace-required", "EF.CardAccess offers no PACE.")
    allowed = _allowed(evidence.content or b"", examination.policy.pace_parameter_ids)
    if not allowed:
        raise CheckFailedError(
            "access.pace-unsupported",
            "EF.CardAccess offers PACE only in forms that the policy does not allow or this program does not know.",
        )
    return allowed


def _card_access(examination: Examination) -> CardAccess:
    code = "access.card-access-malformed"
    if examination.evidence(_CARD_ACCESS).outcome is FileOutcome.MALFORMED:
        raise CheckFailedError(code, "EF.CardAccess is not a file that can be read.")
    content = examination.content(_CARD_ACCESS, code="access.pace-required")
    try:
        return shared_parts.card_access(content)
    except CardDataError as error:
        raise CheckFailedError(code, "EF.CardAccess is not a set of SecurityInfos.") from error


def _used_info(access: AccessEvidence) -> PaceInfo:
    try:
        return shared_parts.pace_info(access.pace_info or b"")
    except CardDataError as error:
        raise CheckFailedError(
            "access.pace-unsupported", "PACE was done with parameters that are none."
        ) from error
