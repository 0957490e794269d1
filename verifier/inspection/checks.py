"""What one check of the procedure can say (SPEC.md, 9)."""

from dataclasses import dataclass
from enum import StrEnum, unique

from verifier.inspection.codes import CODES, FALLBACK

__all__ = [
    "CheckError",
    "CheckFailedError",
    "CheckName",
    "CheckNotPerformedError",
    "CheckResult",
    "CheckState",
    "known_code",
]


@unique
class CheckName(StrEnum):
    """The checks by the names that SPEC.md, 9 gives them, in its order."""

    LIFE_CYCLE = "card.life-cycle"
    PACE = "access.pace"
    SECURITY_OBJECT_SYNTAX = "security-object.syntax"
    SECURITY_OBJECT_SIGNATURE = "security-object.signature"
    SECURITY_OBJECT_SIGNING_TIME = "security-object.signing-time"
    SIGNER_CERTIFICATE = "signer.certificate"
    SIGNER_PATH = "signer.path"
    SIGNER_VALIDITY = "signer.validity"
    SIGNER_REVOCATION = "signer.revocation"
    DATA_GROUPS_INTEGRITY = "data-groups.integrity"
    DATA_GROUPS_COVERAGE = "data-groups.coverage"
    COMMON_DATA_CONSISTENCY = "common-data.consistency"
    ACCESS_PARAMETERS_SIGNED = "access.parameters-signed"
    DATA_GROUPS_CONTENT = "data-groups.content"
    HOLDER_CONSISTENCY = "holder.consistency"
    CARD_VALIDITY = "card.validity"
    CHIP_AUTHENTICATION = "chip.authentication"
    STATUS_REFERENCE = "status.reference"
    CARD_STATUS = "status.card"
    TERMINAL_AUTHENTICATION = "terminal.authentication"
    PROTECTED_DATA_GROUPS = "data-groups.protected"
    PORTRAIT = "portrait.decoding"


@unique
class CheckState(StrEnum):
    """What came of a check; only ``PASSED`` ever speaks for a card."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_PERFORMED = "not-performed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check of one card: its state, the code of what stood in the way, and a sentence for people."""

    name: CheckName
    clause: str
    state: CheckState
    code: str | None
    sentence: str

    def __post_init__(self) -> None:
        if (self.code is None) != (self.state is CheckState.PASSED):
            raise ValueError(
                f"{self.name.value} is {self.state.value} with code {self.code}, expected a code unless passed"
            )

    @property
    def is_passed(self) -> bool:
        """Whether it speaks for the card."""
        return self.state is CheckState.PASSED


class CheckError(Exception):
    """A check did not pass; only `verifier.inspection.report.inspect` catches it."""

    state: CheckState

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = known_code(code)
        self.sentence = sentence


class CheckFailedError(CheckError):
    """The evidence speaks against the card."""

    state = CheckState.FAILED


class CheckNotPerformedError(CheckError):
    """There was nothing to judge; ``code`` is that of what stood in the way."""

    state = CheckState.NOT_PERFORMED


def known_code(code: str, fallback: str = FALLBACK) -> str:
    """The code itself where the table has it, else ``fallback``: a verdict never names a code that nobody explains."""
    return code if code in CODES else fallback
