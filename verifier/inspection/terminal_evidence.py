"""The evidence of terminal authentication: what the terminal showed, and what came of it (SPEC.md, 5.11)."""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final, Self

from card_layout.files.data_groups import TAG_OF_GROUP
from verifier.errors import SnapshotError
from verifier.inspection.snapshot_values import (
    MAX_CODE_CHARACTERS,
    read_fields,
    read_member,
    read_number,
    read_optional_text,
    read_text,
)

__all__ = ["TerminalEvidence", "TerminalOutcome"]

_MAX_REFERENCE_CHARACTERS: Final = 16
_MAX_CHAIN: Final = 8


@unique
class TerminalOutcome(StrEnum):
    """How far terminal authentication led."""

    NOT_ATTEMPTED = "not-attempted"
    """The terminal did not try: the evidence's code tells why."""
    REFUSED_BY_CHIP = "refused-by-chip"
    FAILED = "failed"
    """It broke off: the chip answered something that is no answer, the key failed, or the connection was lost."""
    SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalEvidence:
    """Terminal authentication with a chip that announces it; references as people write them.

    ``chain`` are the holders of the certificates that were shown, the terminal's own last, ``trust_point`` the key
    of the chip's that it begins under, ``granted`` the data groups that all of them grant. ``code`` says what stood
    in the way, ``None`` where nothing did.
    """

    outcome: TerminalOutcome
    code: str | None = None
    trust_point: str | None = None
    chain: tuple[str, ...] = ()
    granted: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if (self.code is None) != (self.outcome is TerminalOutcome.SUCCEEDED):
            raise SnapshotError(
                f"terminal authentication is {self.outcome.value} with code {self.code}, "
                "expected a code unless it succeeded"
            )
        if self.outcome is TerminalOutcome.SUCCEEDED and (
            self.trust_point is None or not self.chain
        ):
            raise SnapshotError("terminal authentication succeeded without a chain")

    def to_document(self) -> dict[str, object]:
        """As it stands in a stored snapshot and in a report."""
        return {
            "outcome": self.outcome.value,
            "code": self.code,
            "trust_point": self.trust_point,
            "chain": list(self.chain),
            "granted": list(self.granted),
        }

    @classmethod
    def from_document(cls, value: object) -> Self:
        """Take it back from a stored snapshot.

        Raises:
            SnapshotError: anything else.
        """
        name = "terminal_authentication"
        fields = read_fields(value, name, ("outcome", "code", "trust_point", "chain", "granted"))
        granted = [
            read_number(item, f"granted of {name}")
            for item in _list(fields["granted"], f"granted of {name}", len(TAG_OF_GROUP))
        ]
        if any(item not in TAG_OF_GROUP for item in granted) or granted != sorted(set(granted)):
            raise SnapshotError(f"granted of {name} are not ascending data groups")
        return cls(
            outcome=read_member(TerminalOutcome, fields["outcome"], f"the outcome of {name}"),
            code=read_optional_text(fields["code"], f"the code of {name}", MAX_CODE_CHARACTERS),
            trust_point=read_optional_text(
                fields["trust_point"], f"the trust point of {name}", _MAX_REFERENCE_CHARACTERS
            ),
            chain=tuple(
                read_text(item, f"a holder of {name}", _MAX_REFERENCE_CHARACTERS)
                for item in _list(fields["chain"], f"the chain of {name}", _MAX_CHAIN)
            ),
            granted=tuple(granted),
        )


def _list(value: object, name: str, maximum: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > maximum:
        raise SnapshotError(f"{name} is not a list of at most {maximum}")
    return value
