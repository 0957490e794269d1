"""What people can do about a problem that the console shows; codes that are not here get a word by their status."""

from collections.abc import Mapping
from typing import Final

from issuer.api.languages import message

__all__ = ["REMEDIES", "remedy_of", "title_of"]

_TITLES: Final[Mapping[int, str]] = {
    401: message("Please log in"),
    403: message("This is not yours to do"),
    404: message("There is nothing here"),
    409: message("That does not go as things stand"),
    412: message("Somebody was faster"),
    413: message("That is too large"),
    422: message("Something in it is not right"),
    429: message("Too often"),
    503: message("Not to be had just now"),
}
_TITLE: Final = message("That did not work")

REMEDIES: Final[Mapping[str, str]] = {
    "login.refused": message("Check the account's name and the password, then try again."),
    "login.too-many-attempts": message("Wait a while, then try again."),
    "request.too-many": message("Wait a minute, then go on."),
    "login.second-factor-needed": message("Log in with your second factor."),
    "password.unchanged": message("Choose a password that you have not had here."),
    "password.differs": message("Type the new password twice, alike."),
    "password.too-short": message("Choose a longer password: a short sentence is a good one."),
    "api.not-found": message("Check the address, or begin at the overview."),
    "api.foreign-origin": message("Open the console itself and do it there."),
    "api.cursor-invalid": message("Begin at the first page of the list."),
    "api.body-too-large": message("Split the list into parts, and bring them one after another."),
    "api.precondition-failed": message("Look at it again, then decide."),
    "api.internal": message("Tell whoever runs this service, with the number below."),
    "right.missing": message("Ask an administrator whether the role is meant for you."),
    "right.step-up-needed": message("Show your second factor again, then repeat it."),
    "second-factor.log-in-again": message("Log out, log in, and register it within five minutes."),
    "second-factor.missing": message("Register a security key first."),
    "second-factor.no-origin": message("Tell whoever runs this service, with the number below."),
    "second-factor.no-operator-key": message(
        "Register a security key for the PKI first, on the page of your security keys."
    ),
    "second-factor.no-such-operator": message(
        "The certificate is another operator's, or the key was not registered for the PKI."
    ),
    "operator.certificate-invalid": message(
        "Bring the operator's certificate as the PKI wrote it."
    ),
    "terminal-code.unknown": message(
        "Type the code that the terminal shows now; it holds for five minutes, for your own account."
    ),
    "webauthn.challenge-malformed": message("Choose the file that the PKI wrote as the challenge."),
    "webauthn.origin-differs": message(
        "Have the PKI make the challenge for this console's address."
    ),
    "webauthn.challenge-expired": message(
        "Have the PKI make a new challenge: one holds for an hour."
    ),
    "authorisation.signed-already": message("Another person signs, too."),
    "authorisation.still-valid": message(
        "Use the one that two people have signed: it covers every card that waits for a signature."
    ),
    "authorisation.other-terms": message(
        "Somebody wrote another authorisation down: look at it again."
    ),
    "authorisation.ended": message("Write a new authorisation down."),
    "authorisation.malformed": message(
        "Check the signer's name, the hours and the number of chips."
    ),
    "authorisation.none-valid": message(
        "Have two people authorise the decision's cards, on the page of the decision."
    ),
    "authorisation.used-up": message(
        "Have two people sign another authorisation, on the page of the decision."
    ),
    "signing.no-signer": message("Tell whoever runs this service, with the number below."),
    "signer.unreachable": message("Have the signer started, then have the batch signed again."),
    "batch.being-signed": message("Wait until that has ended, then look at the batch again."),
    "webauthn.challenge-missing": message("It took too long. Try again."),
    "webauthn.credential-exists": message("This security key is registered already: use another."),
    "webauthn.counter-back": message(
        "There may be a copy of this security key. Remove it, and tell an administrator."
    ),
    "oidc.attempt-malformed": message("Begin to log in again, and finish it within ten minutes."),
    "oidc.state-differs": message("Begin to log in again, and finish it within ten minutes."),
    "oidc.provider-refused": message("Begin again, or log in with account and password."),
    "oidc.unavailable": message("Begin again, or log in with account and password."),
    "questionable.reason": message("Say why in one line."),
    "questionable.unknown": message("Go back to the list of rows; somebody may have decided."),
    "questionable.decided": message("Go back to the list of rows; somebody may have decided."),
    "account.proposal-over": message("Have it proposed again."),
    "account.proposal-unknown": message("Look at the list again: somebody may have settled it."),
    "right.same-person": message("Four eyes: ask a colleague to do this step."),
    "decision.number-used": message(
        "Look at the decision of this number and date, or check what you typed."
    ),
    "decision.number-malformed": message(
        "Type the number as the document bears it: letters, digits and . / -"
    ),
    "decision.changed-meanwhile": message("Look at the list of its requests again, then confirm."),
    "decision.empty": message("Put requests into it first."),
    "decision.wrong-state": message("Look at the decision again: it was confirmed or given up."),
    "decision.other-preparer": message(
        "Whoever prepared it puts requests into it; prepare one of your own."
    ),
    "decision.unknown": message("Go back to the list of decisions."),
    "document.no-pdf": message("Bring the decision as a PDF file."),
    "document.not-signed": message(
        "Bring the PDF file as it was signed, not a scan or a copy that was saved anew."
    ),
    "document.too-large": message("Bring a PDF file of at most 16 MB."),
    "date.malformed": message("Write the date as day/month/year."),
    "date.impossible": message("There is no such day: check the date."),
    "request.none-chosen": message("Pick the requests first, then press the button."),
    "request.remark": message("Say why in one line."),
    "request.reason": message(
        "Say why a card is made once more, with a re-issue and with nothing else."
    ),
    "request.unknown": message("Go back to the list of requests."),
    "organisation.unknown": message("Check the organisation's code, or find it in the tree."),
    "member.unknown": message("Go back to the list and look the member up again."),
    "operation.unknown": message("Look at your imports; somebody else's are not shown."),
    "operation.interrupted": message(
        "Bring the same list again: what was taken is found present, and nothing is doubled."
    ),
    "idempotency.key-reused": message("Open the form anew, and send it once."),
    "idempotency.outcome-unknown": message(
        "Look whether it was done before you open the form anew and send it again."
    ),
    "report.not-counted": message("Have the register counted first, on the page of reports."),
    "correction.gone": message("Bring the list again: the file is kept for two weeks."),
    "file.columns": message(
        "Use the columns of the template, and no others; or bring a mapping file along."
    ),
    "file.not-supported": message("Save the list as a plain xlsx workbook or as csv in UTF-8."),
    "database.unavailable": message("Wait a moment and try again."),
    "database.not-upgraded": message("Tell whoever runs this service, with the number below."),
}
"""Remedies by code."""

_BY_STATUS: Final[Mapping[int, str]] = {
    403: message("Ask an administrator whether the role is meant for you."),
    404: message("Check the address, or begin at the overview."),
    503: message("Wait a moment and try again."),
}
_ELSE: Final = message("Go back, put right what is said above, and send it again.")


def title_of(status: int) -> str:
    """A headline for a problem."""
    return _TITLES.get(status, _TITLE)


def remedy_of(code: str, status: int) -> str:
    """What to do."""
    return REMEDIES.get(code) or _BY_STATUS.get(status, _ELSE)
