"""Puts requests together: their use cases over the register of a home, with documents and the mark of numbers."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from issuer.bootstrap import RegisterHome
from issuer.domain.decisions import DecisionId
from issuer.domain.number_blocks import BlockId
from issuer.domain.request_policy import HandsRule, NumberRule, RequestPolicy
from issuer.domain.requests import RequestId
from issuer.services.allot_numbers import NumberAllotment, NumberOffice
from issuer.services.authorise_batch import DecisionAuthorisation
from issuer.services.confirm_decisions import DecisionConfirmation
from issuer.services.decision_desk import DecisionDesk
from issuer.services.draft_requests import RequestDrafting
from issuer.services.move_requests import RequestSteps
from issuer.services.prepare_decisions import DecisionPreparation
from issuer.services.request_ports import DocumentStore
from issuer.settings import RequestSettings
from issuer.storage.document_folder import FolderDocumentStore
from issuer.storage.number_mark_file import FileNumberMarkStore

__all__ = ["RequestOffice", "request_policy", "requests_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOffice:
    """Every use case of requests, decisions and card numbers."""

    policy: RequestPolicy
    documents: DocumentStore
    drafting: RequestDrafting
    steps: RequestSteps
    preparing: DecisionPreparation
    confirming: DecisionConfirmation
    authorising: DecisionAuthorisation
    numbers: NumberOffice


def request_policy(settings: RequestSettings) -> RequestPolicy:
    """The configuration as a value."""
    return RequestPolicy(
        deciding_level=settings.deciding_level,
        hands=HandsRule(settings.hands),
        exchange_number=NumberRule(settings.exchange_number),
        re_issue_number=NumberRule(settings.re_issue_number),
    )


def requests_of(opened: RegisterHome) -> RequestOffice:
    """The use cases over the register of a home."""
    policy = request_policy(opened.settings.requests)
    documents = FolderDocumentStore(opened.settings.documents_in(opened.home))
    marks = FileNumberMarkStore(opened.settings.number_mark_in(opened.home))
    desk = DecisionDesk(register=opened.register, documents=documents, policy=policy, clock=_now)
    return RequestOffice(
        policy=policy,
        documents=documents,
        drafting=RequestDrafting(
            register=opened.register,
            clock=_now,
            new_request_id=lambda: RequestId(uuid.uuid4()),
        ),
        steps=RequestSteps(
            register=opened.register, portraits=opened.portraits, policy=policy, clock=_now
        ),
        preparing=DecisionPreparation(desk=desk, new_decision_id=lambda: DecisionId(uuid.uuid4())),
        confirming=DecisionConfirmation(desk=desk, allotment=NumberAllotment(marks=marks)),
        authorising=DecisionAuthorisation(desk=desk, random_bytes=secrets.token_bytes),
        numbers=NumberOffice(
            register=opened.register,
            marks=marks,
            scheme=opened.scheme,
            clock=_now,
            new_block_id=lambda: BlockId(uuid.uuid4()),
            random_bytes=secrets.token_bytes,
        ),
    )


def _now() -> datetime:
    return datetime.now(UTC)
