"""The procedure of an inspection: the steps of SPEC.md, 9 under their numbers, in their order.

Each step is one function that gives back a sentence where its check passed and raises where it did not. What a
step raises becomes a result here and nowhere else, and whatever it did not mean to raise counts as failed.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from card_layout.errors import CardError
from pki.errors import PkiError
from verifier.inspection import (
    access_checks,
    chip_checks,
    data_checks,
    holder_checks,
    signature_checks,
    status_checks,
    terminal_checks,
)
from verifier.inspection.checks import CheckError, CheckName, CheckResult, CheckState
from verifier.inspection.examination import Examination

__all__ = ["PROCEDURE", "Step", "perform"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One step: its clause, its check, and the codes that the clause gives it, the most general one first."""

    clause: str
    name: CheckName
    judge: Callable[[Examination], str]
    codes: tuple[str, ...]
    tells_cards_apart: bool = False
    """Whether what it says of a card that passes is said of that card alone."""


PROCEDURE: Final[tuple[Step, ...]] = (
    Step(
        clause="9.1",
        name=CheckName.LIFE_CYCLE,
        judge=access_checks.check_life_cycle,
        codes=("card.not-operational",),
    ),
    Step(
        clause="9.2",
        name=CheckName.PACE,
        judge=access_checks.check_pace,
        codes=(
            "access.pace-failed",
            "access.pace-required",
            "access.card-access-malformed",
            "access.pace-unsupported",
            "access.wrong-password",
            "access.bac-failed",
        ),
    ),
    Step(
        clause="9.3",
        name=CheckName.SECURITY_OBJECT_SYNTAX,
        judge=signature_checks.check_syntax,
        codes=(
            "security-object.malformed",
            "security-object.missing",
            "security-object.algorithm-not-allowed",
            "security-object.duplicate-group",
        ),
    ),
    Step(
        clause="9.4",
        name=CheckName.SECURITY_OBJECT_SIGNATURE,
        judge=signature_checks.check_signature,
        codes=("security-object.signature-invalid",),
    ),
    Step(
        clause="9.5",
        name=CheckName.SECURITY_OBJECT_SIGNING_TIME,
        judge=signature_checks.check_signing_time,
        codes=("security-object.signing-time-missing", "security-object.signing-time-in-future"),
        tells_cards_apart=True,
    ),
    Step(
        clause="9.6",
        name=CheckName.SIGNER_CERTIFICATE,
        judge=signature_checks.check_signer_certificate,
        codes=("signer.profile", "signer.document-type", "signer.test-authority"),
    ),
    Step(
        clause="9.7",
        name=CheckName.SIGNER_PATH,
        judge=signature_checks.check_signer_path,
        codes=("signer.path-invalid", "signer.authority-unknown", "signer.authority-scope"),
    ),
    Step(
        clause="9.8",
        name=CheckName.SIGNER_VALIDITY,
        judge=signature_checks.check_signer_validity,
        codes=(
            "signer.expired-at-signing",
            "signer.expired",
            "signer.key-usage-period",
            "signer.authority-expired",
        ),
    ),
    Step(
        clause="9.9",
        name=CheckName.SIGNER_REVOCATION,
        judge=signature_checks.check_revocation,
        codes=(
            "signer.revocation-unknown",
            "signer.revoked",
            "inclusion-proof.malformed",
            "inclusion-proof.untrusted",
            "inclusion-proof.cosignatures-missing",
            "inclusion-proof.wrong",
            "inclusion-proof.other-signature",
            "inclusion-proof.too-late",
        ),
    ),
    Step(
        clause="9.10",
        name=CheckName.DATA_GROUPS_INTEGRITY,
        judge=data_checks.check_integrity,
        codes=("data-group.altered",),
    ),
    Step(
        clause="9.11",
        name=CheckName.DATA_GROUPS_COVERAGE,
        judge=data_checks.check_coverage,
        codes=("data-group.not-covered", "data-group.missing"),
    ),
    Step(
        clause="9.12",
        name=CheckName.COMMON_DATA_CONSISTENCY,
        judge=data_checks.check_common_data,
        codes=("common-data.malformed", "common-data.inconsistent"),
    ),
    Step(
        clause="9.13",
        name=CheckName.ACCESS_PARAMETERS_SIGNED,
        judge=access_checks.check_parameters_signed,
        codes=("access.parameters-not-signed",),
    ),
    Step(
        clause="9.14",
        name=CheckName.DATA_GROUPS_CONTENT,
        judge=data_checks.check_content,
        codes=("data-group.malformed", "atr-info.malformed"),
    ),
    Step(
        clause="9.15",
        name=CheckName.HOLDER_CONSISTENCY,
        judge=holder_checks.check_holder,
        codes=("holder.inconsistent", "holder.state-mismatch"),
    ),
    Step(
        clause="9.16",
        name=CheckName.CARD_VALIDITY,
        judge=holder_checks.check_card_validity,
        codes=("card.expired",),
    ),
    Step(
        clause="9.17",
        name=CheckName.CHIP_AUTHENTICATION,
        judge=chip_checks.check_chip_authentication,
        codes=(
            "chip-authentication.not-performed",
            "chip.not-proven",
            "card-security.not-proven",
            "active-authentication.not-performed",
        ),
    ),
    Step(
        clause="9.18",
        name=CheckName.STATUS_REFERENCE,
        judge=signature_checks.check_status_reference,
        codes=("status.reference-missing",),
        tells_cards_apart=True,
    ),
    Step(
        clause="9.27",
        name=CheckName.CARD_STATUS,
        judge=status_checks.check_card_status,
        codes=(
            "status.unknown",
            "status.no-list",
            "status.not-handed-over",
            "status.suspended",
            "status.replaced",
            "status.lost",
            "status.revoked",
            "status.newer-than-list",
            "status.list-in-future",
            "trust.stale",
        ),
    ),
    Step(
        clause="9.21",
        name=CheckName.TERMINAL_AUTHENTICATION,
        judge=terminal_checks.check_terminal,
        codes=(
            "terminal-authentication.refused",
            "terminal-authentication.chain-refused",
            "terminal-authentication.malformed",
            "terminal-authentication.broken-off",
            "terminal-authentication.key-failed",
            "terminal-authentication.trust-points-missing",
            "terminal-authentication.trust-points-malformed",
            "terminal-authentication.trust-point-unknown",
            "terminal-authentication.expired",
            "terminal-authentication.no-credentials",
            "terminal-authentication.no-right",
            "terminal-authentication.not-needed",
            "terminal-authentication.not-possible",
        ),
    ),
    Step(
        clause="9.22",
        name=CheckName.PROTECTED_DATA_GROUPS,
        judge=terminal_checks.check_protected_files,
        codes=(
            "data-group.refused-despite-right",
            "data-group.no-right",
            "data-group.not-needed",
        ),
    ),
    Step(
        clause="9.23",
        name=CheckName.PORTRAIT,
        judge=holder_checks.check_portrait,
        codes=("data-group.portrait-undecodable", "portrait.not-decoded"),
    ),
)


def perform(step: Step, examination: Examination) -> CheckResult:
    """Carry out one step; it passes only by returning, and nothing that it raises gets any further."""
    try:
        sentence = step.judge(examination)
    except CheckError as error:
        return _result(step, error.state, error.code, error.sentence)
    except (CardError, PkiError) as error:
        # The codec's or the PKI's own refusal; a code that the clause does not know becomes its general one.
        code = error.code if error.code in step.codes else step.codes[0]
        return _result(step, CheckState.FAILED, code, as_sentence(str(error)))
    except Exception as error:  # noqa: BLE001 - fails closed: a broken check never lets a card through
        # Only the kind of the error is logged: its text may hold data of the card.
        logger.error("check %s broke with %s", step.name.value, type(error).__name__)  # noqa: TRY400 - a traceback may hold card data
        return _result(
            step,
            CheckState.FAILED,
            "check.broken",
            f"The check itself broke ({type(error).__name__}).",
        )
    return _said(step, CheckState.PASSED, None, sentence)


def as_sentence(text: str) -> str:
    """An error's text as a sentence for people."""
    return f"{text[:1].upper()}{text[1:]}." if text else "It did not pass."


def _said(step: Step, state: CheckState, code: str | None, sentence: str) -> CheckResult:
    """What a step says: kept where it says the same of most cards, and never of a card that failed it."""
    if step.tells_cards_apart or state is CheckState.FAILED:
        return _new(step, state, code, sentence)
    return _kept(step, state, code, sentence)


def _new(step: Step, state: CheckState, code: str | None, sentence: str) -> CheckResult:
    return CheckResult(
        name=step.name, clause=step.clause, state=state, code=code, sentence=sentence
    )


_kept = lru_cache(maxsize=256)(_new)


def _result(step: Step, state: CheckState, code: str, sentence: str) -> CheckResult:
    # A certificate's names come into sentences from outside: nothing in them may steer a terminal.
    shown = sentence
    if not sentence.isprintable():
        shown = "".join(item if item.isprintable() else "\ufffd" for item in sentence)
    return _said(step, state, code, shown)
