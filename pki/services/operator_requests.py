"""Requests and the words of different people on them: who asked, who decided, and what is due before anything is done.

A request's content never changes. One person decides once, nobody decides on a request of their own, and one
rejection ends it. Writing twice under one key does nothing the second time, so that a client that lost the answer
may ask again.
"""

import re
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from pki.errors import PkiDataError, PkiRefusedError
from pki.services.request_contents import RequestContent

__all__ = [
    "MAX_OPEN_REQUESTS",
    "REQUEST_LIFETIME",
    "Decision",
    "DecisionRecord",
    "OperatorRequest",
    "RequestDesk",
    "RequestLedger",
    "RequestState",
    "RequestTransaction",
]

REQUEST_LIFETIME: Final = timedelta(days=14)
MAX_OPEN_REQUESTS: Final = 1000
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_MAX_REASON_CHARACTERS: Final = 200
_ATTEMPTS: Final = 3


class RequestState(StrEnum):
    """What became of a request; ``EXPIRED`` and ``TAKEN`` are computed, from the time and from the journal."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    TAKEN = "taken"


class Decision(StrEnum):
    """A person's word."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """One person's word on a request."""

    operator: str
    decision: Decision
    reason: str | None
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRequest:
    """A request with all that was said about it; ``number`` orders requests, ``version`` grows with every change."""

    number: int
    id: uuid.UUID
    content: RequestContent
    requester: str
    requested_at: datetime
    expires_at: datetime
    state: RequestState
    version: int
    decisions: tuple[DecisionRecord, ...] = ()

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who approved, in the order of their doing so."""
        return tuple(each.operator for each in self.decisions if each.decision is Decision.APPROVE)

    def at(self, now: datetime) -> RequestState:
        """The state as of a time: a request that nobody took in time has ended."""
        is_waiting = self.state in {RequestState.OPEN, RequestState.APPROVED}
        return RequestState.EXPIRED if is_waiting and now > self.expires_at else self.state


class RequestTransaction(Protocol):
    """One transaction over requests; a request that was read in it is not changed by others until it ends."""

    def find(self, request_id: uuid.UUID) -> OperatorRequest | None:
        """The request."""

    def find_by_key(self, requester: str, key: str) -> OperatorRequest | None:
        """What a person asked for under a key."""

    def find_decision_by_key(
        self, operator: str, key: str
    ) -> tuple[OperatorRequest, DecisionRecord] | None:
        """What a person decided under a key."""

    def count_open(self, now: datetime) -> int:
        """How many requests wait for decisions or for being taken."""

    def add(
        self,
        content: RequestContent,
        *,
        request_id: uuid.UUID,
        requester: str,
        key: str,
        requested_at: datetime,
        expires_at: datetime,
    ) -> OperatorRequest:
        """Store a new request."""

    def add_decision(
        self, request: OperatorRequest, record: DecisionRecord, *, key: str, state: RequestState
    ) -> OperatorRequest:
        """Store a person's word and the state that follows; the version grows."""


class RequestLedger(Protocol):
    """Where requests are kept."""

    def writing(self) -> AbstractContextManager[RequestTransaction]:
        """A transaction that is durable once the block ends."""

    def find(self, request_id: uuid.UUID) -> OperatorRequest | None:
        """The request."""

    def page(
        self, *, state: RequestState | None, after: int | None, limit: int, now: datetime
    ) -> list[OperatorRequest]:
        """Requests, newest first, behind a number."""


class RequestDesk:
    """Takes requests and decisions."""

    def __init__(
        self,
        ledger: RequestLedger,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], uuid.UUID],
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._new_id = new_id

    def create(self, content: RequestContent, *, requester: str, key: str) -> OperatorRequest:
        """Store a request; the same one under the same key is stored once.

        Raises:
            PkiDataError: ``request.key-malformed``.
            PkiRefusedError: ``request.key-reused``: for something else; ``request.too-many``.
            RecordError: the database fails: whether it is stored is unknown, so ask again under the same key.
        """
        _check_key(key)
        return _without_conflict(lambda: self._create(content, requester=requester, key=key))

    def _create(self, content: RequestContent, *, requester: str, key: str) -> OperatorRequest:
        now = self._now()
        with self._ledger.writing() as transaction:
            earlier = transaction.find_by_key(requester, key)
            if earlier is not None:
                if earlier.content != content:
                    raise _key_reused()
                return earlier
            open_requests = transaction.count_open(now)
            if open_requests >= MAX_OPEN_REQUESTS:
                raise PkiRefusedError(
                    f"{open_requests} requests are open, expected less than {MAX_OPEN_REQUESTS}",
                    code="request.too-many",
                    hint="decide on some first",
                )
            return transaction.add(
                content,
                request_id=self._new_id(),
                requester=requester,
                key=key,
                requested_at=now,
                expires_at=now + REQUEST_LIFETIME,
            )

    def show(self, request_id: uuid.UUID) -> OperatorRequest:
        """The request.

        Raises:
            PkiRefusedError: ``request.unknown``.
        """
        return _known(self._ledger.find(request_id), request_id)

    def decide(
        self,
        request_id: uuid.UUID,
        decision: Decision,
        *,
        operator: str,
        reason: str | None,
        key: str,
        version: int | None,
    ) -> OperatorRequest:
        """Add a person's word, if nothing was changed since the version that the person saw.

        Args:
            request_id: the request.
            decision: approve or reject.
            operator: who decides.
            reason: why; a rejection needs one.
            key: the same word under the same key counts once.
            version: what the person saw; ``None`` for whatever it is.

        Raises:
            PkiDataError: ``request.key-malformed``, ``request.reason-invalid``.
            PkiRefusedError: ``request.unknown``, ``request.key-reused``, ``request.changed``, ``request.own``,
                ``request.decided-already``, ``request.expired``, ``request.closed``.
            RecordError: the database fails: whether it is stored is unknown, so ask again under the same key.
        """
        _check_key(key)
        _check_reason(decision, reason)
        return _without_conflict(
            lambda: self._decide(
                request_id, decision, operator=operator, reason=reason, key=key, version=version
            )
        )

    def _decide(
        self,
        request_id: uuid.UUID,
        decision: Decision,
        *,
        operator: str,
        reason: str | None,
        key: str,
        version: int | None,
    ) -> OperatorRequest:
        with self._ledger.writing() as transaction:
            request = _known(transaction.find(request_id), request_id)
            earlier = transaction.find_decision_by_key(operator, key)
            if earlier is not None:
                of, record = earlier
                if (of.id, record.decision, record.reason) != (request_id, decision, reason):
                    raise _key_reused()
                return request
            now = self._now()
            self._check_may_decide(request, operator, version=version, now=now)
            record = DecisionRecord(
                operator=operator, decision=decision, reason=reason, decided_at=now
            )
            return transaction.add_decision(
                request, record, key=key, state=_state_after(request, decision)
            )

    def _check_may_decide(
        self, request: OperatorRequest, operator: str, *, version: int | None, now: datetime
    ) -> None:
        if operator == request.requester:
            raise PkiRefusedError(
                f"{operator} asked for it, expected another person to decide", code="request.own"
            )
        if any(each.operator == operator for each in request.decisions):
            raise PkiRefusedError(
                f"{operator} has decided on it already, expected different people",
                code="request.decided-already",
            )
        state = request.at(now)
        if state is RequestState.EXPIRED:
            raise PkiRefusedError(
                f"the request ended at {request.expires_at:%Y-%m-%d %H:%M:%S}Z",
                code="request.expired",
            )
        if state is not RequestState.OPEN:
            raise PkiRefusedError(
                f"the request is {state.value}, expected an open one", code="request.closed"
            )
        if version is not None and version != request.version:
            raise PkiRefusedError(
                f"the request is at version {request.version}, got a decision on {version}",
                code="request.changed",
                hint="read it again, then decide",
            )


def _without_conflict(write: Callable[[], OperatorRequest]) -> OperatorRequest:
    """Write; where somebody else wrote the same at the same moment, look again what stands there now."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return write()
        except PkiRefusedError as error:
            if error.code != "database.conflict":
                raise
    return write()


def _state_after(request: OperatorRequest, decision: Decision) -> RequestState:
    if decision is Decision.REJECT:
        return RequestState.REJECTED
    is_enough = len(request.approvers) + 1 >= request.content.approvals
    return RequestState.APPROVED if is_enough else RequestState.OPEN


def _known(request: OperatorRequest | None, request_id: uuid.UUID) -> OperatorRequest:
    if request is None:
        raise PkiRefusedError(f"there is no request {request_id}", code="request.unknown")
    return request


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise PkiDataError(
            f"idempotency key has {len(key)} characters, expected 16 to 64 letters, digits, - and _",
            code="request.key-malformed",
        )


def _check_reason(decision: Decision, reason: str | None) -> None:
    if reason is None and decision is Decision.APPROVE:
        return
    if reason is None or not (1 <= len(reason) <= _MAX_REASON_CHARACTERS and reason.isprintable()):
        raise PkiDataError(
            f"a rejection needs a reason of 1 to {_MAX_REASON_CHARACTERS} printable characters",
            code="request.reason-invalid",
        )


def _key_reused() -> PkiRefusedError:
    return PkiRefusedError(
        "the idempotency key was used for something else",
        code="request.key-reused",
        hint="draw a new key for each thing that is asked for",
    )
