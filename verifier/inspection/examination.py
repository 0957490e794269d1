"""What the steps of one inspection share: the evidence, the rules, and what earlier steps found.

Every way to get at evidence raises where it is not there, so that a step cannot go on without noticing.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Final, TypeVar

from card_layout.errors import CardDataError
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.registry import FILE_TYPES, TAG_OF_GROUP, decode_file
from pki.certificates.trust import Authority, TrustAnchors
from pki.signed.security_object import SecurityObject
from verifier.inspection.checks import (
    CheckName,
    CheckNotPerformedError,
    CheckResult,
)
from verifier.inspection.log_evidence import LogEvidence
from verifier.inspection.policy import Policy
from verifier.inspection.snapshot import CardSnapshot, FileEvidence, FileOutcome

__all__ = ["KNOWN_GROUPS", "PROTECTED_GROUPS", "Examination", "group_name"]

MAX_GROUP: Final = 16

Decoded = TypeVar("Decoded")


def group_name(number: int) -> str:
    """The file of a data group: ``EF.DG13`` for 13."""
    return f"EF.DG{number}"


_GROUP_NAMES: Final = tuple((number, group_name(number)) for number in sorted(TAG_OF_GROUP))

_GROUPS_OF_VARIANTS: Final = frozenset({3, 4, 15})
"""Only where EF.COM, EF.SOD or the profile names them: asking every card for them would cost a command each."""

KNOWN_GROUPS: Final = tuple(
    number
    for number in range(1, MAX_GROUP + 1)
    if group_name(number) in FILE_TYPES and number not in _GROUPS_OF_VARIANTS
)
"""The data groups that this program decodes on every card; a reading asks for every one of them."""


_SYNTAX: Final = CheckName.SECURITY_OBJECT_SYNTAX
_PROOF: Final = (
    CheckName.SECURITY_OBJECT_SIGNATURE,
    CheckName.SECURITY_OBJECT_SIGNING_TIME,
    CheckName.SIGNER_CERTIFICATE,
    CheckName.SIGNER_PATH,
    CheckName.SIGNER_VALIDITY,
    CheckName.SIGNER_REVOCATION,
)
"""What makes the hashes in a security object those of a trusted, valid signer."""

_NO_LOG_EVIDENCE: Final = LogEvidence()

PROTECTED_GROUPS: Final = frozenset({3, 4, 13})
"""The data groups that a chip may keep for terminals with a right (SPEC.md, 3.2 and 10.1)."""


class Examination:
    """One snapshot under one set of rules at one time; ``results`` grows by one check a step.

    ``notes`` are codes of what was let through by a rule that is not for every card.
    """

    def __init__(
        self,
        snapshot: CardSnapshot,
        *,
        trust: TrustAnchors,
        policy: Policy,
        now: datetime,
        purpose: str | None = None,
        log_evidence: LogEvidence | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.trust = trust
        self.policy = policy
        self.now = now
        self.purpose = purpose
        self.log_evidence = _NO_LOG_EVIDENCE if log_evidence is None else log_evidence
        self.notes: list[str] = []
        self.results: dict[CheckName, CheckResult] = {}
        self.passed: set[CheckName] = set()
        self._decoded: dict[str, object] = {}
        self._as_listed: dict[int, bool] = {}
        self._security_object: SecurityObject | None = None
        self._signing_time: datetime | None = None
        self._authority: Authority | None = None

    def record(self, result: CheckResult) -> None:
        """Keep what a step said, for later ones to build on."""
        self.results[result.name] = result
        if result.code is None:
            self.passed.add(result.name)

    def require(self, *names: CheckName) -> None:
        """Go on only where these earlier checks passed.

        Raises:
            CheckNotPerformedError: with the code of the first one that did not.
        """
        if self.passed.issuperset(names):
            return
        for name in names:
            result = self.results.get(name)
            if result is None or result.code is not None:
                code = "evidence.missing" if result is None else result.code
                raise CheckNotPerformedError(
                    code or "evidence.missing", f"It builds on {name.value}, which did not pass."
                )

    def require_complete_reading(self) -> None:
        """Go on only where the reading came to its end.

        Raises:
            CheckNotPerformedError: with the code of what broke it off.
        """
        problem = self.snapshot.problem
        if problem is not None:
            raise CheckNotPerformedError(
                problem.code, f"The reading broke off in phase {problem.phase.value}."
            )
        if not self.snapshot.is_complete:
            raise CheckNotPerformedError(
                "evidence.missing", "The snapshot does not say that the reading came to its end."
            )

    def evidence(self, name: str) -> FileEvidence:
        """What is known about a file.

        Raises:
            CheckNotPerformedError: nothing is: the reading broke off before, or the evidence was taken away.
        """
        evidence = self.snapshot.files.get(name)
        if evidence is None:
            self.require_complete_reading()
            raise CheckNotPerformedError(
                "evidence.missing", f"The snapshot does not say whether the card has {name}."
            )
        return evidence

    def content(self, name: str, *, code: str = "data-group.missing") -> bytes:
        """The bytes of a file; ``code`` is what it means that the card does not give them.

        Raises:
            CheckNotPerformedError: there are none.
        """
        evidence = self.evidence(name)
        if evidence.content is None:
            if evidence.outcome is FileOutcome.MALFORMED:
                code = "data-group.malformed"
            raise CheckNotPerformedError(code, f"{name} was not read: {evidence.outcome.value}.")
        return evidence.content

    def decoded(self, name: str, kind: type[Decoded]) -> Decoded:
        """A file as the value that it encodes; each is decoded once.

        Raises:
            CheckNotPerformedError: the card does not give it, or it cannot be decoded (9.14 is the step that fails).
        """
        value = self._decoded.get(name)
        if value is None:
            content = self.content(name)
            try:
                value = self.decode(name, content)
            except CardDataError as error:
                raise CheckNotPerformedError(
                    "data-group.malformed", f"{name} cannot be decoded."
                ) from error
        if not isinstance(value, kind):
            raise TypeError(f"{name} decodes to {type(value).__name__}, expected {kind.__name__}")
        return value

    def decode(self, name: str, content: bytes) -> object:
        """The value that a file's content encodes; each is decoded once.

        Raises:
            CardDataError: it encodes none.
        """
        value = self._decoded.get(name)
        if value is None:
            value = self._decoded[name] = decode_file(name, content)
        return value

    @cached_property
    def data_groups(self) -> tuple[tuple[int, FileEvidence], ...]:
        """Every data group that something is known about, by its number, in ascending order."""
        files = self.snapshot.files
        return tuple((number, files[name]) for number, name in _GROUP_NAMES if name in files)

    @property
    def decoded_files(self) -> Mapping[str, object]:
        """The files that were decoded so far, by name."""
        return MappingProxyType(self._decoded)

    @property
    def security_object(self) -> SecurityObject:
        """The parsed security object.

        Raises:
            CheckNotPerformedError: 9.3 did not pass.
        """
        found = self._security_object
        if found is None or _SYNTAX not in self.passed:
            self.require(_SYNTAX)
            raise CheckNotPerformedError("evidence.missing", "No security object was kept.")
        return found

    def keep_security_object(self, value: SecurityObject) -> None:
        """Let later steps use what 9.3 parsed."""
        self._security_object = value

    @property
    def signing_time(self) -> datetime:
        """When the card was signed.

        Raises:
            CheckNotPerformedError: 9.5 did not pass.
        """
        self.require(CheckName.SECURITY_OBJECT_SIGNING_TIME)
        if self._signing_time is None:
            raise CheckNotPerformedError("evidence.missing", "No signing time was kept.")
        return self._signing_time

    def keep_signing_time(self, value: datetime) -> None:
        """Let later steps use what 9.5 found."""
        self._signing_time = value

    @property
    def authority(self) -> Authority:
        """The authority that issued the signer's certificate.

        Raises:
            CheckNotPerformedError: 9.7 did not pass.
        """
        self.require(CheckName.SIGNER_PATH)
        if self._authority is None:
            raise CheckNotPerformedError("evidence.missing", "No authority was kept.")
        return self._authority

    def keep_authority(self, value: Authority) -> None:
        """Let later steps use what 9.7 found."""
        self._authority = value

    @property
    def announces_terminal_authentication(self) -> bool:
        """Whether EF.DG14 as it was read announces it; a malformed one announces nothing, and 9.14 says so.

        Raises:
            CheckNotPerformedError: nothing is known about EF.DG14.
        """
        name = group_name(14)
        if self.evidence(name).content is None:
            return False
        try:
            infos = self.decoded(name, SecurityOptions).security_infos
        except CheckNotPerformedError:
            return False
        return bool(infos.terminal_authentication_infos)

    def was_left_out(self, number: int) -> bool:
        """Whether the terminal did not ask for a data group that the chip may keep from it.

        Raises:
            CheckNotPerformedError: nothing is known about the data group.
        """
        return (
            self.evidence(group_name(number)).outcome is FileOutcome.NOT_REQUESTED
            and number in PROTECTED_GROUPS
            and self.announces_terminal_authentication
        )

    def is_group_proven(self, number: int) -> bool:
        """Whether a data group is what a trusted, valid signer signed: 9.3 to 9.9 passed and its own hash is right.

        Raises:
            CheckNotPerformedError: one of those checks did not pass, or the data group was not read.
        """
        self.require(*_PROOF)
        return self.is_as_listed(number, self.content(group_name(number)))

    def is_as_listed(self, number: int, content: bytes) -> bool:
        """Whether the content of a data group has the hash that the security object lists; each is hashed once.

        Raises:
            CheckNotPerformedError: 9.3 did not pass.
        """
        known = self._as_listed.get(number)
        if known is None:
            signed = self.security_object
            digest = signed.file_hash_algorithm.digest(content)
            known = self._as_listed[number] = digest == signed.file_hashes.get(number)
        return known
