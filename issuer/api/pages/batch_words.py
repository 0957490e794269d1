"""What the console calls states and steps of batches, and how it colours them."""

from typing import Final

from issuer.api.languages import message

__all__ = ["EVENTS", "PILLS", "REFUSALS", "STATES"]

STATES: Final = {
    "open": message("Being filled"),
    "freezing": message("Freeze proposed"),
    "frozen": message("Frozen"),
    "signed": message("Signed"),
    "producing": message("In production"),
    "controlled": message("Passed quality control"),
    "packed": message("Packed"),
    "dispatched": message("On its way"),
    "received": message("Received by the committee"),
    "handed-over": message("Handed over to the members"),
    "cancelled": message("Given up"),
}
PILLS: Final = {
    "open": "quiet",
    "freezing": "care",
    "frozen": "busy",
    "signed": "busy",
    "producing": "busy",
    "controlled": "busy",
    "packed": "busy",
    "dispatched": "care",
    "received": "busy",
    "handed-over": "good",
    "cancelled": "quiet",
}
EVENTS: Final = {
    "opened": message("Opened"),
    "filled": message("Filled"),
    "freeze-proposed": message("Freeze proposed"),
    "taken-back": message("Freeze taken back"),
    "frozen": message("Frozen"),
    "signed": message("Signed"),
    "production-begun": message("Production began"),
    "controlled": message("Passed quality control"),
    "packed": message("Packed"),
    "dispatched": message("Dispatched"),
    "received": message("Received by the committee"),
    "handed-over": message("Handed over to the members"),
    "cancelled": message("Given up"),
}
REFUSALS: Final = {
    "batch.unknown": message("There is no such batch"),
    "batch.wrong-state": message("The step does not follow on where the batch stands"),
    "batch.empty": message("The batch holds no request"),
    "batch.changed-since-proposal": message("Something changed since the proposal: take it back and propose again"),
    "batch.other-proof": message("This digest is of another proof sheet"),
    "batch.proof-malformed": message("Type the digest as it stands on the proof sheet"),
    "batch.nothing-to-pack": message("The batch has no good card that lies in no box"),
    "batch.box-size": message("Say how many cards a box holds"),
    "batch.carrier": message("Say in one line who carries the batch"),
    "card-number.malformed": message("A card number has the form 98.000001"),
    "chip.serial-malformed": message("A serial has 20 digits, 0 to 9 and A to F"),
    "batch.limit": message("Say how many at most, or leave it empty for all"),
    "batch.other-receiver": message("The committee is not below the one that decided"),
    "batch.changed-meanwhile": message("Somebody changed the batch since you looked"),
    "batch.being-signed": message("It is being signed at this moment"),
    "authorisation.none-valid": message("Two people have to authorise the decision's cards first"),
    "authorisation.used-up": message("The authorisation is used up: two people have to sign another one"),
    "signing.no-signer": message("No signer is set up for this console"),
    "signer.unreachable": message("The signer does not run, or cannot be reached"),
    "profile.development": message("Cards of this profile are for tests, and no signer signs them"),
    "batch.too-few-chips": message("There are fewer initialised chips than cards in the batch"),
}  # fmt: skip
"""What a refused act is told as; others get the word of their status."""
