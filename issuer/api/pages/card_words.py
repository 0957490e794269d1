"""What the console calls states, acts and events of finished cards, and how it colours them."""

from typing import Final

from issuer.api.languages import message
from issuer.api.pages import batch_words

__all__ = [
    "ACTS",
    "ACT_NOTES",
    "COUNTS_AS",
    "EVENTS",
    "KEY_ORIGINS",
    "MAKING",
    "PILLS",
    "REASONS",
    "REFUSALS",
    "ROOMS",
    "WEIGHTY",
]

COUNTS_AS: Final = {
    "valid": message("In force"),
    "not-handed-over": message("Not handed over"),
    "data-stale": message("In force, data changed"),
    "suspended": message("Suspended for now"),
    "replaced": message("Replaced by another card"),
    "lost": message("Lost"),
    "revoked": message("Revoked"),
}
PILLS: Final = {
    "valid": "good",
    "not-handed-over": "quiet",
    "data-stale": "care",
    "suspended": "care",
    "replaced": "quiet",
    "lost": "bad",
    "revoked": "bad",
}
MAKING: Final = {
    "bound": message("Bound to a chip"),
    "signed": message("Signed"),
    "personalising": message("Being written"),
    "personalised": message("Written"),
    "locking": message("Being locked"),
    "issued": message("Finished"),
    "handed-over": message("Handed over"),
    "condemned": message("Condemned"),
}
REASONS: Final = {
    "lost": message("Lost"),
    "stolen": message("Stolen"),
    "damaged": message("Damaged"),
    "returned": message("Given back for good"),
    "member-deceased": message("The member died"),
    "member-expelled": message("The member was expelled"),
    "member-struck-off": message("The member was struck off"),
    "signer-compromised": message("The signer's key was stolen"),
    "replaced": message("Another card took its place"),
    "expired": message("Its last day has passed"),
    "condemned": message("Condemned"),
    "record-deleted": message("The member's record was deleted"),
}
ACTS: Final = {
    "report": message("Report it"),
    "confirm": message("Confirm the report: it ends for good"),
    "suspend": message("Suspend it"),
    "resume": message("Take back what holds it"),
    "collect": message("Collect it"),
    "give-back": message("Give it back to the member"),
    "return": message("Take it back for good"),
}
ACT_NOTES: Final = {
    "report": message("It counts for nothing at once, and ends when another person confirms it."),
    "confirm": message("You say so as the second person. It never counts again."),
    "suspend": message("It counts for nothing until somebody takes that back."),
    "resume": message("A report that was wrong is taken back by another person than who made it."),
    "collect": message("It lies with the organisation, and counts for nothing meanwhile."),
    "give-back": message("It is in its member's hand again."),
    "return": message("It came back for good; another person confirms its end."),
}
WEIGHTY: Final = frozenset({"report", "confirm", "return"})
"""Acts at whose end the card may be gone for good: their buttons are red."""

ROOMS: Final = {
    "request": message("Request"),
    "production": message("Production"),
    "batch": message("Batch"),
    "stock": message("Stock"),
    "validity": message("Validity"),
}
EVENTS: Final = {
    "batch": {**batch_words.EVENTS, "acknowledged": message("Signed for")},
    "stock": {
        "stop-reported": message("Put on the stop list"),
        "stop-confirmed": message("Its place on the stop list was confirmed"),
        "stop-lifted": message("Taken off the stop list"),
        "destruction-proposed": message("Its destruction was proposed by the first witness"),
        "destruction-confirmed": message("Its destruction was confirmed by the second witness"),
    },
    "production": {
        "chip-received": message("Chip received"),
        "chip-issued": message("Chip given to another site"),
        "chip-returned": message("Chip came back to the store"),
        "claimed": message("Taken up by a station"),
        "initialisation-begun": message("Initialisation began"),
        "chip-key-recorded": message("Key of the chip recorded"),
        "initialised": message("Chip initialised"),
        "bound": message("Bound to a chip"),
        "signing-prepared": message("Prepared for signing"),
        "signed": message("Signed"),
        "personalisation-begun": message("Writing began"),
        "personalised": message("Written"),
        "lock-intended": message("Locking began"),
        "issued": message("Finished"),
        "passed": message("Passed quality control"),
        "packed": message("Packed"),
        "received-by-committee": message("Received by the committee"),
        "handed-over": message("Handed over"),
        "condemned": message("Condemned"),
        "secrets-destroyed": message("Its secrets were destroyed"),
        "terminated": message("Terminated by the station"),
        "held": message("Held: a person has to look"),
        "released": message("Released"),
        "destroyed": message("Destroyed"),
    },
    "validity": {
        "handed-over": message("In force from the hand-over on"),
        "reported": message("Reported"),
        "confirmed": message("Confirmed by a second person"),
        "rejected": message("The report was taken back"),
        "ended": message("Ended"),
        "suspended": message("Suspended by an office"),
        "resumed": message("The suspension was taken back"),
        "member-barred": message("The member's standing holds it"),
        "member-restored": message("The member's standing holds it no more"),
        "data-changed": message("The register says something else by now"),
        "collected": message("Collected by the organisation"),
        "given-back": message("Given back to the member"),
    },
}
KEY_ORIGINS: Final = {
    "chip-key.made-on-chip": message("On the chip"),
    "chip-key.injected": message("Outside of the chip, and brought into it"),
}
REFUSALS: Final = {
    "card.unknown": message("No card of your part of the register is called so"),
    "card-number.malformed": message("Type a card number, a serial of 20 digits or a reference of 32"),
    "card.remark": message("Write one line of plain text, at most 400 characters"),
    "card.report-reason": message("Choose what happened"),
    "card.report-open": message("Something was reported of it already: another person judges that first"),
    "card.not-reported": message("Nothing was reported of it, or somebody has judged it meanwhile"),
    "card.ended": message("The card has ended, and never counts again"),
    "card.suspended-before": message("An office has suspended it already"),
    "card.not-suspended": message("Nothing holds it that could be taken back here"),
    "card.collected-before": message("It lies with the organisation already"),
    "card.not-collected": message("It does not lie with the organisation"),
    "card.not-handed-over": message("It was handed over to nobody yet"),
}  # fmt: skip
"""What a refused act is told as; others get the word of their status."""
