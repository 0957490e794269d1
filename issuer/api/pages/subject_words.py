"""What the console calls the rights of the people in the register: grounds, refusals, what is destroyed and what stays."""

from typing import Final

from issuer.api.languages import message
from issuer.domain.data_subjects import DeletionGround, DisclosureGround, KeptItem

__all__ = ["DELETION_GROUNDS", "DESTROYED", "DISCLOSURE_GROUNDS", "DONE", "KEPT", "REFUSALS"]

DISCLOSURE_GROUNDS: Final = {
    DisclosureGround.ASKED_BY_THE_PERSON.value: message("Asked for by the person"),
    DisclosureGround.CONSENT.value: message("With the person's consent"),
    DisclosureGround.LEGAL_DUTY.value: message("Duty by law"),
    DisclosureGround.ORDERED_BY_AUTHORITY.value: message("Ordered by an authority"),
    DisclosureGround.TRANSFER_OF_THE_RECORD.value: message("Transfer of the record"),
    DisclosureGround.INSPECTION.value: message("Inspection"),
}
DELETION_GROUNDS: Final = {
    DeletionGround.MEMBERSHIP_ENDED.value: message("The membership has ended"),
    DeletionGround.RECORDED_IN_ERROR.value: message("The record was made in error, and no card was handed over"),
    DeletionGround.ORDERED_BY_AUTHORITY.value: message("An authority ordered it; the order is brought"),
}  # fmt: skip
DESTROYED: Final = {
    "record": message("The record: names, numbers, dates, places, phone"),
    "portraits": message("The picture"),
    "changes": message("Lines of its history"),
    "documents": message("Documents that changes or this deletion rest on"),
    "card_contents": message("What was sealed for cards, and who took them"),
}
KEPT: Final = {
    KeptItem.IDENTIFIER.value: message("A number drawn at random, which tells nothing about the person"),
    KeptItem.ORGANISATION.value: message("The committee that answers for what was done"),
    KeptItem.CARD_REGISTER.value: message("The register of cards, without a name: every card is accounted for"),
    KeptItem.NUMBER_DIGESTS.value: message("Card numbers that were given out here, and digests of other numbers: nobody else is given them"),
    KeptItem.DISCLOSURES.value: message("To whom the data was given"),
    KeptItem.AUDIT_TRAIL.value: message("The audit trail: who did what, without a name"),
}  # fmt: skip
DONE: Final = {
    "disclosed": message("It is written down."),
    "proposed": message("The deletion is proposed; another person confirms it."),
    "withdrawn": message("Nothing is deleted: the proposal is withdrawn."),
}
REFUSALS: Final = {
    "disclosure.recipient": message("Name the office or body in one line."),
    "disclosure.reference": message("Name the paper, and what was given, in one line each."),
    "subject.still-member": message("The membership goes on: record its end first, or name another ground."),
    "subject.card-under-way": message("A card is being made: hand it over or condemn it first."),
    "subject.card-in-hand": message("A card was handed over, so the record was no mistake: name another ground."),
    "subject.request-open": message("A request for a card is open: withdraw it first."),
    "subject.order-missing": message("Bring the authority's order."),
    "subject.deletion-proposed": message("A deletion of this record waits already."),
    "subject.deletion-not-proposed": message("Nobody proposes this deletion any more."),
    "subject.number-differs": message("Type the record number of this member exactly as it stands above."),
    "right.same-person": message("Four eyes: another person confirms what one proposed."),
    "right.missing": message("This is done by somebody else: you have no right to it here."),
    "evidence.kind": message("Bring the document as PDF, JPEG or PNG."),
    "evidence.too-large": message("The document has more than 10 MiB: scan it anew, a little coarser."),
    "evidence.unknown": message("The deletion was proposed without a document."),
}  # fmt: skip
