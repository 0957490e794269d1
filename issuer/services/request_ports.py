"""Ports of requests and decisions: what their use cases need from the world."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from issuer.domain.decisions import Decision, DecisionId, DecisionState, DocumentDigest
from issuer.domain.eligibility import Candidate
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import (
    CardRequest,
    RequestEvent,
    RequestEventKind,
    RequestId,
    RequestKind,
    RequestState,
)
from issuer.domain.rights import AccountName

__all__ = [
    "DecisionRepository",
    "DocumentStore",
    "KeptAuthorisation",
    "RequestPage",
    "RequestPosition",
    "RequestQuestion",
    "RequestRepository",
    "RequestStep",
    "Untouched",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStep:
    """One step: the request as it is after it, and what stands in its time line."""

    request: CardRequest
    event: RequestEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Untouched:
    """Of whose hands a request is free: this person took none of these steps of it."""

    account: AccountName
    steps: frozenset[RequestEventKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestQuestion:
    """Which requests are asked for; what is ``None`` does not narrow.

    Attributes:
        states: in one of these states.
        kind: of this kind.
        member_id: for this member.
        below: of one of these organisations or of any below them.
        decision_id: standing in this decision.
        untouched: without those of which somebody took some steps.
    """

    states: Collection[RequestState] | None = None
    kind: RequestKind | None = None
    member_id: MemberId | None = None
    below: Collection[OrganisationCode] | None = None
    decision_id: DecisionId | None = None
    untouched: Untouched | None = None


@dataclass(frozen=True, slots=True)
class RequestPosition:
    """Where a page ends: the next one begins behind it (keyset pages)."""

    created_at: datetime
    request_id: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPage:
    """One page, oldest requests first; ``end`` is ``None`` on the last one."""

    requests: tuple[CardRequest, ...]
    end: RequestPosition | None


class RequestRepository(Protocol):
    """The requests, within one transaction."""

    def candidates(
        self, member_ids: Collection[MemberId], *, lock: bool = False
    ) -> Mapping[MemberId, Candidate]:
        """These members as the rules see them; whoever is unknown is left out.

        With ``lock`` nobody else drafts a request for them until this transaction ends.
        """

    def add(self, steps: Sequence[RequestStep]) -> None:
        """Keep new requests.

        Raises:
            ConflictError: a member has a live request already.
        """

    def get(self, request_id: RequestId) -> CardRequest:
        """One request.

        Raises:
            IssuerRefusedError: there is none (``request.unknown``).
        """

    def known(self, request_ids: Collection[RequestId]) -> Mapping[RequestId, CardRequest]:
        """These requests as they are now; unknown ones are left out."""

    def locked(self, request_ids: Collection[RequestId]) -> Mapping[RequestId, CardRequest]:
        """These requests, as they stay until this transaction changes them; unknown ones are left out."""

    def store(self, steps: Sequence[RequestStep]) -> None:
        """Keep requests one version on.

        Raises:
            ConflictError: one of them is not at the version before (``request.changed-meanwhile``).
        """

    def time_lines(
        self, request_ids: Collection[RequestId]
    ) -> Mapping[RequestId, tuple[RequestEvent, ...]]:
        """What happened to these requests, in order."""

    def page(
        self, question: RequestQuestion, *, limit: int, behind: RequestPosition | None = None
    ) -> RequestPage:
        """Requests in the order in which they were drafted."""

    def count(self, question: RequestQuestion) -> Mapping[RequestState, int]:
        """How many there are in each state; states without any are left out."""

    def count_up_to(self, question: RequestQuestion, most: int) -> int:
        """How many there are; ``most`` where there are more, so that nobody waits for a million."""

    def count_by_kind(self, question: RequestQuestion) -> Mapping[RequestKind, int]:
        """How many there are of each kind; kinds without any are left out."""

    def with_cards(self, request_ids: Collection[RequestId]) -> frozenset[RequestId]:
        """Those of these requests for which a card is made, or was, that is not condemned."""

    def someone_took(
        self, account: AccountName, kinds: Collection[RequestEventKind], decision_id: DecisionId
    ) -> RequestId | None:
        """A request of a decision of which this person took one of these steps; ``None`` where there is none."""

    def current_decision(self, request_id: RequestId) -> DecisionId | None:
        """The decision in which the request stands or that it came by; ``None`` where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAuthorisation:
    """A batch authorisation that was made for a decision.

    Attributes:
        content: its file, signed so far.
        signed: how many cards were signed under it whose signatures are kept here; the signer counts at least as many.
        is_void: the signer said that it signs nothing under it any more.
    """

    decision_id: DecisionId
    digest: bytes
    content: bytes
    created_by: AccountName
    created_at: datetime
    signed: int = 0
    is_void: bool = False


class DecisionRepository(Protocol):
    """The decisions, within one transaction."""

    def add(self, decision: Decision) -> None:
        """Keep a new decision.

        Raises:
            ConflictError: the committee has another one with this number and date (``decision.number-used``).
        """

    def get(self, decision_id: DecisionId) -> Decision:
        """One decision.

        Raises:
            IssuerRefusedError: there is none (``decision.unknown``).
        """

    def several(self, decision_ids: Collection[DecisionId]) -> Mapping[DecisionId, Decision]:
        """Those of a page of decisions that there are."""

    def locked(self, decision_id: DecisionId) -> Decision:
        """The same, as it stays until this transaction changes it."""

    def find(
        self, *, number: str, decided_on: date, committee: OrganisationCode
    ) -> Decision | None:
        """The committee's decision of this number and date that was not dropped."""

    def store(self, decision: Decision) -> None:
        """Keep a decision one version on.

        Raises:
            ConflictError: it is not at the version before (``decision.changed-meanwhile``).
        """

    def put_on(self, decision_id: DecisionId, request_ids: Collection[RequestId]) -> None:
        """These requests stand in the decision from now on."""

    def page(
        self,
        *,
        limit: int,
        behind: DecisionId | None = None,
        state: DecisionState | None = None,
        committees: Collection[OrganisationCode] | None = None,
        not_prepared_by: AccountName | None = None,
    ) -> tuple[Decision, ...]:
        """Decisions, the newest first; ``behind`` is the last one of the page before."""

    def keep_authorisation(self, authorisation: KeptAuthorisation) -> None:
        """Keep an authorisation, or the same one with more signatures."""

    def authorisations(self, decision_id: DecisionId) -> tuple[KeptAuthorisation, ...]:
        """The authorisations that were made for a decision, the newest last."""

    def make_void(self, digest: bytes) -> None:
        """Keep that the signer signs nothing under an authorisation any more."""

    def unsigned(self, decision_id: DecisionId) -> int:
        """How many requests of a decision wait for a card that is not signed yet, in a batch or in none."""


class DocumentStore(Protocol):
    """Where documents of decisions are kept, by their digest."""

    def put(self, content: bytes) -> DocumentDigest:
        """Keep a document durably; putting the same again changes nothing.

        Raises:
            IssuerUnavailableError: it cannot be kept (``document-store.unavailable``).
        """

    def get(self, digest: DocumentDigest) -> bytes:
        """The document with this digest, checked against it.

        Raises:
            IssuerRefusedError: it is not there (``document.lost``) or is another one (``document.altered``).
            IssuerUnavailableError: it cannot be read (``document-store.unavailable``).
        """
