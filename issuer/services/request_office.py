"""Everything that people do with requests, decisions and card numbers, together."""

from dataclasses import dataclass

from issuer.domain.request_policy import RequestPolicy
from issuer.services.allot_numbers import NumberOffice
from issuer.services.authorise_batch import DecisionAuthorisation
from issuer.services.confirm_decisions import DecisionConfirmation
from issuer.services.draft_requests import RequestDrafting
from issuer.services.look_at_numbers import LookingAtNumbers
from issuer.services.move_requests import RequestSteps
from issuer.services.prepare_decisions import DecisionPreparation
from issuer.services.read_decisions import ReadingOfDecisions
from issuer.services.read_requests import ReadingOfRequests
from issuer.services.request_ports import DocumentStore

__all__ = ["RequestOffice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOffice:
    """Every use case of requests, decisions and card numbers."""

    policy: RequestPolicy
    documents: DocumentStore
    reading: ReadingOfRequests
    reading_decisions: ReadingOfDecisions
    drafting: RequestDrafting
    steps: RequestSteps
    preparing: DecisionPreparation
    confirming: DecisionConfirmation
    authorising: DecisionAuthorisation
    numbers: NumberOffice
    looking_at_numbers: LookingAtNumbers
