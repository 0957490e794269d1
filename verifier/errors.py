"""Errors of the verifier.

They are split by what a caller can do:

    VerifierError
    ├── UsageError      the command was given something that it cannot mean: say it again (exit status 64)
    ├── TrustError      the trust directory or its policy is broken: nothing can be judged with it
    └── SnapshotError   a stored snapshot is not what its format says

Whatever stands in the way of *one card* is no error but a check of its report: `verifier.inspection.checks`.
Every error carries a stable dotted ``code``; docs/codes.md explains each of them.
"""

from typing import ClassVar

__all__ = ["SnapshotError", "TrustError", "UsageError", "VerifierError"]


class VerifierError(Exception):
    """Something that the verifier could not do; ``code`` is stable, the text is for people."""

    default_code: ClassVar[str] = "verifier.error"
    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code if code is not None else self.default_code
        self.hint = hint


class UsageError(VerifierError):
    """An option or an input that cannot mean anything; nothing was sent to any card."""

    default_code = "input.malformed"
    exit_code = 64


class TrustError(VerifierError):
    """The trust directory or the policy in it is broken; no card is judged with a part of it."""

    default_code = "trust.malformed"


class SnapshotError(VerifierError):
    """A stored snapshot breaks its format."""

    default_code = "snapshot.malformed"
