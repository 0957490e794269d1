"""The checks around terminal authentication: SPEC.md, 9.21 and 9.22.

They tell what a terminal was let do. Nothing that an assurance rests on depends on them.
"""

from typing import Final

from card_layout.errors import CardDataError
from verifier.inspection import shared_parts
from verifier.inspection.checks import CheckFailedError, CheckName, CheckNotPerformedError
from verifier.inspection.examination import PROTECTED_GROUPS, Examination, group_name
from verifier.inspection.snapshot import FileOutcome
from verifier.inspection.terminal_evidence import TerminalOutcome

__all__ = ["check_protected_files", "check_terminal"]

_TRUST_POINTS: Final = "EF.CVCA"
_MALFORMED: Final = "terminal-authentication.trust-points-malformed"


def check_terminal(examination: Examination) -> str:
    """9.21: a chip that announces terminal authentication names its trust points, and let the terminal in."""
    if not examination.announces_terminal_authentication:
        examination.require_complete_reading()
        return "The chip announces no terminal authentication."
    if not examination.is_group_proven(14):
        raise CheckNotPerformedError("data-group.altered", "EF.DG14 is not what was signed.")
    evidence = examination.snapshot.terminal
    if evidence is None:
        examination.require_complete_reading()
        raise CheckNotPerformedError(
            "evidence.missing", "The snapshot tells of no terminal authentication."
        )
    references = _trust_points(examination)
    names = ", ".join(references)
    if evidence.outcome is TerminalOutcome.NOT_ATTEMPTED:
        raise CheckNotPerformedError(
            evidence.code or "evidence.missing",
            f"The terminal did not try to prove itself; the chip trusts {names}.",
        )
    if evidence.outcome is not TerminalOutcome.SUCCEEDED:
        raise CheckFailedError(
            evidence.code or "evidence.missing",
            f"The terminal showed {' '.join(evidence.chain)} below {evidence.trust_point}, and the chip did "
            f"not let it in; the chip trusts {names}.",
        )
    examination.require(CheckName.CHIP_AUTHENTICATION)
    if evidence.trust_point not in references:
        raise CheckFailedError(
            "evidence.missing",
            f"The chain begins under {evidence.trust_point}, and EF.CVCA names {names}.",
        )
    groups = ", ".join(f"EF.DG{number}" for number in evidence.granted) or "no file"
    return (
        f"The chip let {evidence.chain[-1]} in, below {evidence.trust_point}; it may read {groups}."
    )


def check_protected_files(examination: Examination) -> str:
    """9.22: every protected file that is listed was read."""
    listed = examination.security_object.file_hashes
    refused: list[str] = []
    left_out: dict[str, str] = {}
    for number in sorted(PROTECTED_GROUPS & set(listed)):
        evidence = examination.evidence(group_name(number))
        if evidence.outcome is FileOutcome.NOT_REQUESTED:
            left_out[evidence.name] = evidence.code or "data-group.no-right"
        elif evidence.outcome is FileOutcome.MALFORMED:
            # The chip gave something: what is wrong with it, check 9.14 says.
            left_out[evidence.name] = "data-group.malformed"
        elif evidence.outcome is not FileOutcome.READ:
            refused.append(evidence.name)
    if refused and not examination.announces_terminal_authentication:
        # Nothing was asked of the terminal, so these are missing as any other file is.
        examination.require(CheckName.DATA_GROUPS_COVERAGE)
    if refused:
        raise CheckFailedError(
            "data-group.refused-despite-right",
            f"{', '.join(refused)}: the chip does not give it to a terminal that may read it.",
        )
    if left_out:
        raise CheckNotPerformedError(
            next(iter(left_out.values())), f"{', '.join(left_out)}: not asked for."
        )
    examination.require_complete_reading()
    return "Every protected file that is listed was read."


def _trust_points(examination: Examination) -> tuple[str, ...]:
    """What EF.CVCA names, as people write it."""
    evidence = examination.evidence(_TRUST_POINTS)
    if evidence.outcome in (FileOutcome.ABSENT, FileOutcome.REFUSED):
        raise CheckFailedError(
            "terminal-authentication.trust-points-missing",
            "The chip announces terminal authentication and gives no EF.CVCA.",
        )
    try:
        return shared_parts.trust_points(evidence.content or b"")
    except CardDataError as error:
        raise CheckFailedError(_MALFORMED, "EF.CVCA cannot be decoded.") from error
