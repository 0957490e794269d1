"""What the console calls states and kinds, and how it colours them."""

from typing import Final

from issuer.api.languages import message

__all__ = [
    "ACCOUNT_PILLS",
    "ACCOUNT_STATES",
    "CHANGE_KINDS",
    "CHECKED",
    "COLUMNS",
    "OPERATION_KINDS",
    "OPERATION_PILLS",
    "OPERATION_STATES",
    "OUTCOMES",
    "OUTCOME_PILLS",
    "ROLES",
    "SEXES",
    "STANDINGS",
    "STANDING_PILLS",
    "SUBJECTS",
]

OPERATION_KINDS: Final = {
    "import-members": message("Import of members"),
    "import-organisations": message("Import of organisations"),
    "verify-audit": message("Check of the audit trail"),
    "count-reports": message("Count for reports"),
}
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
CHECKED: Final = {
    "records": message("Records"),
    "checkpoints": message("Checkpoints compared"),
    "faults": message("Faults"),
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
}
SEXES: Final = {"M": message("Male"), "F": message("Female")}
