"""Decisions: a committee's list of requests, prepared by one person and confirmed by another.

    prepared ──> confirmed
        └──────> dropped

What is confirmed stays: each of its requests is decided or, where its member lost eligibility meanwhile, goes back.
"""

import enum
import re
import uuid
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, NewType

from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, two_different_people
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = [
    "MAX_REQUESTS_OF_DECISION",
    "AttachedDocument",
    "Decision",
    "DecisionId",
    "DecisionState",
    "DocumentDigest",
    "DocumentSignature",
    "parse_decision_id",
    "parse_decision_number",
]

DecisionId = NewType("DecisionId", uuid.UUID)
"""Drawn at random when a decision is prepared."""

DocumentDigest = NewType("DocumentDigest", bytes)
"""SHA-256 of a document's bytes: its key in the document store."""

MAX_REQUESTS_OF_DECISION: Final = 100_000
"""As many as one batch authorisation can speak for (``pki.signed.authorisation.MAX_CARDS``)."""

_NUMBER: Final = re.compile(r"[0-9A-Za-zĐđ][0-9A-Za-zÀ-ỹĐđ./ -]{0,62}[0-9A-Za-zÀ-ỹĐđ]|[0-9]")


class DecisionState(enum.StrEnum):
    """How far a decision has come."""

    PREPARED = "prepared"
    CONFIRMED = "confirmed"
    DROPPED = "dropped"


class DocumentSignature(enum.StrEnum):
    """What was seen of the electronic signature of an attached document (docs/requests.md says what is checked)."""

    ABSENT = "absent"
    PRESENT = "present"
    """A signature that speaks for the whole file is there; whether it holds was not judged."""
    PARTIAL = "partial"
    """There is one, and the file holds bytes that it does not speak for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedDocument:
    """The signed decision on file: which one, and what was seen of its signature."""

    digest: DocumentDigest
    signature: DocumentSignature


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision.

    Attributes:
        decision_id: the register's own key.
        number: as the document bears it.
        decided_on: its date.
        committee: who decided.
        document: the document, ``None`` where there is none yet.
        requests: how many requests stand in it.
        version: counts its changes from 1.
        prepared_by, prepared_at: who put it together, and when (aware UTC).
        confirmed_by, confirmed_at: who confirmed it; ``None`` before that.
        dropped_by: who dropped it; ``None`` where nobody did.
    """

    decision_id: DecisionId
    number: str
    decided_on: date
    committee: OrganisationCode
    document: AttachedDocument | None
    requests: int = 0
    version: int = 1
    prepared_by: AccountName
    prepared_at: datetime
    confirmed_by: AccountName | None = None
    confirmed_at: datetime | None = None
    dropped_by: AccountName | None = None

    @property
    def state(self) -> DecisionState:
        """Prepared until somebody confirms or drops it."""
        if self.dropped_by is not None:
            return DecisionState.DROPPED
        return DecisionState.PREPARED if self.confirmed_by is None else DecisionState.CONFIRMED

    def with_requests(self, count: int) -> "Decision":
        """So many more requests.

        Raises:
            IssuerRefusedError: it is not *prepared* (``decision.wrong-state``), or holds too many
                (``decision.too-many-requests``).
        """
        self._require_prepared("changed")
        if self.requests + count > MAX_REQUESTS_OF_DECISION:
            raise IssuerRefusedError(
                f"the decision would hold {self.requests + count} requests, expected at most "
                f"{MAX_REQUESTS_OF_DECISION}",
                code="decision.too-many-requests",
            )
        return replace(self, requests=self.requests + count, version=self.version + 1)

    def confirmed(self, account: AccountName, at: datetime) -> "Decision":
        """The decision confirmed by somebody else than whoever prepared it.

        Raises:
            IssuerRefusedError: ``decision.wrong-state``, ``right.same-person``, ``decision.no-document``,
                ``decision.empty``.
        """
        self._require_prepared("confirmed")
        two_different_people(self.prepared_by, account, act="to decide")
        if self.document is None:
            raise IssuerRefusedError(
                "the decision has no document attached", code="decision.no-document"
            )
        if not self.requests:
            raise IssuerRefusedError("the decision holds no request", code="decision.empty")
        return replace(self, confirmed_by=account, confirmed_at=at, version=self.version + 1)

    def dropped(self, account: AccountName) -> "Decision":
        """The decision given up; its requests can stand in another one.

        Raises:
            IssuerRefusedError: ``decision.wrong-state``.
        """
        self._require_prepared("dropped")
        return replace(self, dropped_by=account, version=self.version + 1)

    def _require_prepared(self, wish: str) -> None:
        if self.state is not DecisionState.PREPARED:
            raise IssuerRefusedError(
                f"the decision is {self.state}, so it cannot be {wish}", code="decision.wrong-state"
            )


def parse_decision_id(text: str) -> DecisionId:
    """An identifier as people and programs write it.

    Raises:
        IssuerDataError: ``decision.id-malformed``.
    """
    try:
        return DecisionId(uuid.UUID(text))
    except ValueError as error:
        raise IssuerDataError(
            f"decision identifier of {len(text)} characters, expected a UUID",
            code="decision.id-malformed",
        ) from error


def parse_decision_number(text: str) -> str:
    """A decision's number as documents bear it: ``123-QĐ/TU``.

    Raises:
        IssuerDataError: ``decision.number-malformed``.
    """
    if not _NUMBER.fullmatch(text):
        raise IssuerDataError(
            f"decision number of {len(text)} characters, expected 1 to 64 letters, digits and . / -",
            code="decision.number-malformed",
        )
    return text
