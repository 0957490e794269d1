"""What the console calls states and kinds, and how it colours them."""

from typing import Final

from issuer.api.languages import message

__all__ = [
    "ACCOUNT_ACTS",
    "ACCOUNT_PILLS",
    "ACCOUNT_STATES",
    "CHANGE_KINDS",
    "CHECKED",
    "COLUMNS",
    "DECISION_PILLS",
    "DECISION_STATES",
    "OPERATION_ABOUT",
    "OPERATION_KINDS",
    "OPERATION_PILLS",
    "OPERATION_PLACES",
    "OPERATION_STATES",
    "OUTCOMES",
    "OUTCOME_PILLS",
    "REFUSALS",
    "REISSUE_REASONS",
    "REQUEST_COUNTS",
    "REQUEST_EVENTS",
    "REQUEST_KINDS",
    "REQUEST_PILLS",
    "REQUEST_STATES",
    "REQUEST_STEPS",
    "ROLES",
    "SEXES",
    "SIGNATURES",
    "SIGNATURE_PILLS",
    "SIGN_COUNTS",
    "STANDINGS",
    "STANDING_PILLS",
    "SUBJECTS",
    "WAITING",
]

OPERATION_KINDS: Final = {
    "import-members": message("Import of members"),
    "import-organisations": message("Import of organisations"),
    "verify-audit": message("Check of the audit trail"),
    "draft-requests": message("Drafting of requests"),
    "table-requests": message("Filling of a decision"),
    "confirm-decision": message("Deciding of requests"),
    "drop-decision": message("Giving up of a decision"),
    "move-requests": message("A step with all requests that wait for it"),
    "count-reports": message("Count for reports"),
    "sign-batch": message("Signing of a batch"),
    "take-bundle": message("Taking of a bundle"),
}
OPERATION_PLACES: Final = {
    "import-members": ("/imports", message("Import")),
    "import-organisations": ("/imports", message("Import")),
    "verify-audit": ("/audit", message("Audit")),
    "draft-requests": ("/requests", message("Requests")),
    "table-requests": ("/decisions", message("Decisions")),
    "confirm-decision": ("/decisions", message("Decisions")),
    "drop-decision": ("/decisions", message("Decisions")),
    "move-requests": ("/requests", message("Requests")),
    "count-reports": ("/reports", message("Reports")),
    "sign-batch": ("/batches", message("Batches")),
    "take-bundle": ("/bundles", message("Bundles")),
}
"""To which page an operation belongs."""

OPERATION_ABOUT: Final = {
    "table-requests": message("Look at the decision"),
    "confirm-decision": message("Look at the decision"),
    "drop-decision": message("Look at the decision"),
    "sign-batch": message("Look at the batch"),
}
"""What the way from an operation to the thing that it works on is called."""

SIGN_COUNTS: Final = {"signed": message("Signed"), "not-signed": message("Not signed")}

OPERATION_STATES: Final = {
    "waiting": message("Waiting"),
    "running": message("Running"),
    "done": message("Finished"),
    "failed": message("Failed"),
}
OPERATION_PILLS: Final = {"waiting": "plain", "running": "busy", "done": "good", "failed": "bad"}
OUTCOMES: Final = {
    "taken": message("Taken"),
    "already-present": message("Already in the register"),
    "refused": message("Refused"),
    "questionable": message("Waiting for a person"),
}
REQUEST_COUNTS: Final = {
    "changed": message("Went on"),
    "unchanged": message("Were there before"),
    "left-out": message("Left out"),
}
CHECKED: Final = {
    "records": message("Records"),
    "checkpoints": message("Checkpoints compared"),
    "faults": message("Faults"),
}
ACCOUNT_ACTS: Final = {
    "give-role": message("Give a role"),
    "enable": message("Enable the account"),
    "reset-password": message("Set a new password"),
    "remove-second-factors": message("Forget all security keys"),
}

ROLES: Final = {
    "clerk": message("Clerk"),
    "endorser": message("Endorser"),
    "decider": message("Decider"),
    "production-operator": message("Production operator"),
    "quality-controller": message("Quality controller"),
    "storekeeper": message("Storekeeper"),
    "auditor": message("Auditor"),
    "administrator": message("Administrator"),
}
ACCOUNT_STATES: Final = {"active": message("Active"), "disabled": message("Disabled")}
ACCOUNT_PILLS: Final = {"active": "good", "disabled": "bad"}
SUBJECTS: Final = {
    "account": message("Account"),
    "bundle": message("Bundle"),
    "card": message("Card"),
    "decision": message("Decision"),
    "import": message("Import"),
    "member": message("Member"),
    "number-block": message("Number block"),
    "organisation": message("Organisation"),
    "request": message("Request"),
    "service": message("Service"),
}

OUTCOME_PILLS: Final = {
    "taken": "good",
    "already-present": "plain",
    "refused": "bad",
    "questionable": "care",
}
STANDINGS: Final = {
    "official": message("Official"),
    "probationary": message("Probationary"),
    "exempt": message("Exempt from activities"),
    "suspended": message("Suspended"),
    "transferred": message("Being transferred"),
    "abroad": message("Abroad"),
    "deceased": message("Deceased"),
    "struck-off": message("Struck off"),
    "expelled": message("Expelled"),
}
STANDING_PILLS: Final = {
    "official": "good",
    "probationary": "care",
    "exempt": "plain",
    "suspended": "bad",
    "transferred": "care",
    "abroad": "care",
    "deceased": "plain",
    "struck-off": "bad",
    "expelled": "bad",
}
CHANGE_KINDS: Final = {"correction": message("Correction"), "event": message("Event")}
COLUMNS: Final = {
    "full_name": message("Full name"),
    "primary_name": message("Primary name"),
    "secondary_name": message("Secondary name"),
    "birth_date": message("Born"),
    "sex": message("Sex"),
    "citizen_number": message("Citizen number"),
    "record_number": message("Record number"),
    "earlier_card_number": message("Earlier card"),
    "organisation_code": message("Organisation"),
    "served_in": message("Served in"),
    "admission_date": message("Admitted"),
    "recognition_date": message("Recognised"),
    "standing": message("Standing"),
    "standing_since": message("Standing since"),
    "place_of_birth": message("Place of birth"),
    "home_town": message("Home town"),
    "residence": message("Residence"),
    "phone": message("Phone"),
    "ethnic_group": message("Ethnic group"),
    "portrait": message("Portrait"),
}
REQUEST_KINDS: Final = {
    "new-issue": message("New issue"),
    "exchange": message("Exchange"),
    "re-issue": message("Re-issue"),
}
REISSUE_REASONS: Final = {
    "lost": message("lost"),
    "damaged": message("damaged"),
    "data-changed": message("data changed"),
}
REQUEST_STATES: Final = {
    "draft": message("Draft"),
    "proposed": message("Proposed"),
    "endorsed": message("Endorsed"),
    "compiled": message("Compiled"),
    "tabled": message("In a decision"),
    "decided": message("Decided"),
    "fulfilled": message("Card handed over"),
    "returned": message("Sent back"),
    "withdrawn": message("Withdrawn"),
}
REQUEST_PILLS: Final = {
    "draft": "plain",
    "proposed": "busy",
    "endorsed": "busy",
    "compiled": "busy",
    "tabled": "busy",
    "decided": "good",
    "fulfilled": "good",
    "returned": "care",
    "withdrawn": "plain",
}
REQUEST_EVENTS: Final = {
    "drafted": message("Drafted"),
    "proposed": message("Proposed by the cell"),
    "endorsed": message("Endorsed by the grassroots committee"),
    "compiled": message("Compiled for the deciding committee"),
    "tabled": message("Put into a decision"),
    "untabled": message("Taken out of the decision"),
    "decided": message("Decided"),
    "fulfilled": message("Card handed over"),
    "sent-back": message("Sent back"),
    "withdrawn": message("Withdrawn"),
    "withdrawal-asked": message("Withdrawal asked for: a second person withdraws it"),
}
DECISION_STATES: Final = {
    "prepared": message("Prepared"),
    "confirmed": message("Confirmed"),
    "dropped": message("Given up"),
}
DECISION_PILLS: Final = {"prepared": "busy", "confirmed": "good", "dropped": "plain"}
SIGNATURES: Final = {
    "present": message("It bears a signature over all of it"),
    "partial": message("It bears a signature over a part of it"),
    "absent": message("It bears no electronic signature"),
}
SIGNATURE_PILLS: Final = {"present": "good", "partial": "care", "absent": "care"}
REQUEST_STEPS: Final = {
    "propose": message("Propose"),
    "endorse": message("Endorse"),
    "compile": message("Compile"),
    "send-back": message("Send back"),
    "withdraw": message("Withdraw"),
    "decide": message("Put into the decision"),
}
WAITING: Final = {
    "propose": message("To propose"),
    "endorse": message("To endorse"),
    "compile": message("To compile"),
    "decide": message("To decide"),
}
REFUSALS: Final = {
    "eligibility.not-official": message("Not an official member: on probation, or without a date of recognition"),
    "eligibility.no-full-standing": message("Not a member of full standing any more"),
    "eligibility.suspended": message("Suspended from activities"),
    "eligibility.record-doubtful": message("Somebody has to answer open questions about the record first"),
    "eligibility.no-portrait": message("The record has no portrait"),
    "eligibility.no-earlier-card": message("The record names no earlier card that could be exchanged or made once more"),
    "eligibility.has-card": message("There is a card already: exchange it, or have it made once more"),
    "eligibility.other-request": message("Another request for the same member is open"),
    "eligibility.moved": message("Recorded in another organisation by now"),
    "portrait.lost": message("The portrait is not in the store any more"),
    "portrait.altered": message("The portrait is not as it was put into the store"),
    "request.unknown": message("There is no such request in your part of the tree"),
    "request.wrong-state": message("The step does not follow on where the request stands"),
    "request.same-hands": message("Four eyes: you took an earlier step of it, so a colleague takes this one"),
    "request.changed-meanwhile": message("Somebody changed it since you looked"),
    "request.has-card": message("A card is being made for it: condemn the card first"),
    "request.elsewhere": message("It was handed to another office, which alone goes on with it"),
    "right.same-person": message("Four eyes: a colleague takes this step"),
    "request.ordinal": message("The member would have too many cards"),
    "right.missing": message("You have no right to this step there"),
    "right.step-up-needed": message("The security key has to be shown again"),
    "member.unknown": message("There is no such member in your part of the tree"),
    "card.differs-from-proof": message("The record is not any more what two people froze: condemn the card"),
    "card.member-not-entitled": message("The member may have no card any more: condemn the card"),
    "decision.other-committee": message("Another committee decides on it"),
    "numbers.exhausted": message("The committee's blocks of card numbers are used up"),
}  # fmt: skip
"""Why a request does not go on, by the code of its outcome."""

SEXES: Final = {"M": message("Male"), "F": message("Female")}
