"""Whatever was done or taken in another way than the first choice, by its code: the notes of SPEC.md, 9.24.

None of it speaks against a card by itself. Each is something that an attacker between card and terminal, or a chip
that is not the original, could have brought about, so none of it may stay silent.
"""

from collections.abc import Callable, Iterator
from typing import Final

from card_layout.errors import CardDataError
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.security_object_file import SecurityObjectFile
from pki.errors import PkiError
from pki.signed.security_object import SecurityObject
from verifier.inspection import shared_parts
from verifier.inspection.checks import CheckName, known_code
from verifier.inspection.examination import Examination, group_name
from verifier.inspection.snapshot import AccessPath, CardSnapshot, ChipOutcome

__all__ = ["second_choices"]


def second_choices(examination: Examination) -> Iterator[str]:
    """The codes, each once; nothing that a card gave raises here."""
    yield from (code for code, holds in _NOTES.items() if holds(examination))
    yield from map(known_code, examination.snapshot.fallbacks)


def _is_opened_by_bac(examination: Examination) -> bool:
    return examination.snapshot.access.path is AccessPath.BAC


def _announces_what_nobody_signed(examination: Examination) -> bool:
    """EF.CardAccess holds infos beside its PACEInfos that DG14 does not; 9.13 compares the PACEInfos themselves."""
    snapshot = examination.snapshot
    options = snapshot.content(group_name(14))
    announced = snapshot.content("EF.CardAccess")
    if options is None or announced is None:
        return False
    try:
        others = shared_parts.infos_beside_pace(announced)
        if not others:
            return False
        signed = SecurityOptions.from_bytes(options).security_infos.infos
    except CardDataError:
        # Checks 9.2 and 9.14 say so.
        return False
    return not {info.to_bytes() for info in signed}.issuperset(info.to_bytes() for info in others)


def _is_held_to_short_lengths(examination: Examination) -> bool:
    """The answer to reset names extended lengths, and no EF.ATR/INFO says how long they may be."""
    snapshot = examination.snapshot
    try:
        is_announced = shared_parts.announces_extended_lengths(snapshot.atr or b"")
    except CardDataError:
        # Check 9.1 says so.
        return False
    return is_announced and not _has_lengths(snapshot)


def _has_lengths(snapshot: CardSnapshot) -> bool:
    """Whether EF.ATR/INFO gave them, or was not even asked for."""
    evidence = snapshot.files.get("EF.ATR/INFO")
    if evidence is None:
        return True
    try:
        info = shared_parts.atr_info(evidence.content or b"")
    except CardDataError:
        return False
    return info.max_command_bytes is not None and info.max_response_bytes is not None


def _is_signed_by_leave(examination: Examination) -> bool:
    """The security object is taken only because the policy says ``allow_other_signatures`` (SPEC.md, 7.6)."""
    if not (examination.policy.allow_other_signatures and _passed(examination, _SYNTAX)):
        return False
    content = examination.snapshot.content("EF.SOD") or b""
    try:
        SecurityObject.from_bytes(SecurityObjectFile.from_bytes(content).content_info)
    except (CardDataError, PkiError):
        return True
    return False


def _has_versions_that_nobody_signed(examination: Examination) -> bool:
    """EF.COM states versions, and the security object is of version 0, which signs none (SPEC.md, 7.2)."""
    return (
        _passed(examination, CheckName.COMMON_DATA_CONSISTENCY)
        and examination.security_object.lds_version.stated is None
    )


def _is_proven_by_signature_alone(examination: Examination) -> bool:
    return (
        _passed(examination, CheckName.CHIP_AUTHENTICATION)
        and examination.snapshot.chip.outcome is not ChipOutcome.PROVEN
    )


def _passed(examination: Examination, name: CheckName) -> bool:
    return name in examination.passed


_SYNTAX: Final = CheckName.SECURITY_OBJECT_SYNTAX
_NOTES: Final[dict[str, Callable[[Examination], bool]]] = {
    "access.bac-used": _is_opened_by_bac,
    "access.unsigned-info": _announces_what_nobody_signed,
    "reading.short-apdus": _is_held_to_short_lengths,
    "security-object.other-signature": _is_signed_by_leave,
    "common-data.version-not-signed": _has_versions_that_nobody_signed,
    "active-authentication.used-alone": _is_proven_by_signature_alone,
}
