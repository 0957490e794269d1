"""Puts requests together: their use cases over the register of a home, with documents and the mark of numbers."""

import secrets
import uuid
from datetime import UTC, datetime

from issuer.bootstrap import RegisterHome
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.decisions import DecisionId
from issuer.domain.number_blocks import BlockId
from issuer.domain.request_policy import HandsRule, NumberRule, RequestPolicy
from issuer.domain.requests import RequestId
from issuer.services.allot_numbers import NumberAllotment, NumberOffice
from issuer.services.authorise_batch import DecisionAuthorisation
from issuer.services.confirm_decisions import DecisionConfirmation
from issuer.services.decision_desk import DecisionDesk
from issuer.services.draft_requests import RequestDrafting
from issuer.services.look_at_numbers import LookingAtNumbers
from issuer.services.move_requests import RequestSteps
from issuer.services.number_ports import NumberMarkStore
from issuer.services.prepare_decisions import DecisionPreparation
from issuer.services.read_decisions import ReadingOfDecisions
from issuer.services.read_requests import ReadingOfRequests
from issuer.services.register_ports import PortraitStore, Register
from issuer.services.request_office import RequestOffice
from issuer.services.request_ports import DocumentStore
from issuer.settings import RequestSettings
from issuer.storage.document_folder import FolderDocumentStore
from issuer.storage.number_mark_file import FileNumberMarkStore

__all__ = ["office_of_requests", "request_policy", "requests_of"]


def request_policy(settings: RequestSettings) -> RequestPolicy:
    """The configuration as a value."""
    return RequestPolicy(
        deciding_level=settings.deciding_level,
        hands=HandsRule(settings.hands),
        exchange_number=NumberRule(settings.exchange_number),
        re_issue_number=NumberRule(settings.re_issue_number),
        needs_signed_document=settings.document_signature == "required",
    )


def requests_of(opened: RegisterHome) -> RequestOffice:
    """The use cases over the register of a home."""
    return office_of_requests(
        opened.register,
        portraits=opened.portraits,
        documents=FolderDocumentStore(opened.settings.documents_in(opened.home)),
        marks=FileNumberMarkStore(opened.settings.number_mark_in(opened.home)),
        scheme=opened.scheme,
        policy=request_policy(opened.settings.requests),
    )


def office_of_requests(
    register: Register,
    *,
    portraits: PortraitStore,
    documents: DocumentStore,
    marks: NumberMarkStore,
    scheme: CardNumberScheme,
    policy: RequestPolicy,
) -> RequestOffice:
    """The use cases over these stores."""
    desk = DecisionDesk(register=register, documents=documents, policy=policy, clock=_now)
    return RequestOffice(
        policy=policy,
        documents=documents,
        reading=ReadingOfRequests(register=register, policy=policy, clock=_now),
        reading_decisions=ReadingOfDecisions(desk=desk),
        drafting=RequestDrafting(
            register=register, clock=_now, new_request_id=lambda: RequestId(uuid.uuid4())
        ),
        steps=RequestSteps(register=register, portraits=portraits, policy=policy, clock=_now),
        preparing=DecisionPreparation(desk=desk, new_decision_id=lambda: DecisionId(uuid.uuid4())),
        confirming=DecisionConfirmation(desk=desk, allotment=NumberAllotment(marks=marks)),
        authorising=DecisionAuthorisation(desk=desk, random_bytes=secrets.token_bytes),
        numbers=NumberOffice(
            register=register,
            marks=marks,
            scheme=scheme,
            clock=_now,
            new_block_id=lambda: BlockId(uuid.uuid4()),
            random_bytes=secrets.token_bytes,
        ),
        looking_at_numbers=LookingAtNumbers(register=register, marks=marks),
    )


def _now() -> datetime:
    return datetime.now(UTC)
