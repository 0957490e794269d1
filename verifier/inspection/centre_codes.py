"""The codes of the central service, and of a terminal that speaks with it.

No card is judged by any of them. They stand in the same table as all others (`verifier.inspection.codes`).
"""

from typing import Final

__all__ = ["CENTRE_ROWS"]

_CLIENT = "Compare the request with the description of the API (docs/centre-api.json)."
_LATER = "Try again later; the terminal goes on working without the network."
_OPERATOR = "Look at the service's log and its database."

# Code, cause, what to do. fmt keeps each on its line.
# fmt: off
CENTRE_ROWS: Final = (
    ("network.address", "An address is none, or is not https where something goes there that is nobody else's business.", "Give it as https://centre.example."),
    ("network.failed", "A server could not be reached, or the exchange broke off.", _LATER),
    ("network.too-slow", "A server sends too slowly, or not at all.", _LATER),
    ("network.too-long", "A server sent more than was asked for.", "Compare the address; if it is right, report the server to whoever runs it."),
    ("network.answer", "A server answered with something else than was asked for.", "Compare the address; the error says what came."),
    ("bundle.index-malformed", "The index of published bundles is not what it should be.", "Compare the address; have `membercard-verifier bundle publish` run again at the centre."),
    ("bundle.fetched-wrong", "What was fetched is not the file that the index promises, even when it was fetched anew.", "Have `membercard-verifier bundle publish` run again at the centre, or carry the bundle on a stick."),
    ("centre.refused", "The central service refuses something that no other code describes.", "The error says what."),
    ("centre.request-malformed", "A request's address or headers are beyond their bounds or cannot be read.", _CLIENT),
    ("centre.request-invalid", "A value of a request is not as the description says.", _CLIENT),
    ("centre.body-malformed", "A request's body is not JSON in UTF-8 with each member once.", _CLIENT),
    ("centre.body-too-large", "A request's body is over its bound.", _CLIENT),
    ("centre.body-timeout", "A request's body did not come in time.", _LATER),
    ("centre.media-type", "A request's body is of another type than asked for, or encoded.", _CLIENT),
    ("centre.method", "The address is there, and not for this method.", _CLIENT),
    ("centre.not-found", "The service has nothing at this address.", _CLIENT),
    ("centre.range", "A part of a file was asked for that begins behind its end.", "Fetch the file from its beginning."),
    ("centre.signature-missing", "Only enrolled terminals are answered here, and the request is not signed.", "Give the terminal's directory and its PIN file; have the terminal enrolled."),
    ("centre.signature-malformed", "The headers that sign a request are not exactly as docs/centre.md has them, or its body was changed on the way.", "Compare them with docs/centre.md; look for a proxy that changes what it passes on."),
    ("centre.signature-invalid", "The signature is wrong, or the terminal's certificates lead to no CVCA that the centre trusts today.", "Renew the terminal's certificate (`membercard-verifier terminal renew`); compare the address that the terminal uses with the service's --address."),
    ("centre.request-stale", "The request was made more than five minutes ago, or ahead, by the two clocks.", "Set the terminal's clock; where several terminals are told so at once, look at the centre's."),
    ("centre.terminal-unknown", "The terminal is not enrolled at the centre.", "Enrol it: `membercard-verifier centre enrol`."),
    ("centre.terminal-exists", "A terminal of this name is enrolled already.", "Give each terminal a name of its own."),
    ("centre.terminal-blocked", "The terminal lost its good standing: it was reported stolen, for instance.", "If it was found, give it a new name and a new certificate."),
    ("centre.reading-old", "A terminal sent a reading as a new one that is older than ten minutes, or of a time that has not come.", "Read the card again, and set the terminal's clock where it is wrong; readings of then are judged with `membercard-verifier replay`."),
    ("centre.journal-gap", "Records of a terminal's journal are missing between what the centre has and what came; the error names them.", "Send them first: `membercard-verifier journal upload`. If the terminal does not have them either, keep its journal and have it looked at."),
    ("centre.journal-edited", "A record is not the one that the terminal had sent before: its journal was changed, or restored from an older copy.", "Keep the terminal's journal as it is and have it looked at; a new --home begins a new journal."),
    ("centre.journal-other-terminal", "The journal is known as another terminal's.", "Give each terminal a --home of its own."),
    ("centre.journal-malformed", "What came is no page of a journal, or a record is none of this terminal or version.", "Use versions of membercard that fit together; upgrade the centre first."),
    ("journal.pseudonym-malformed", "A pseudonym of a card is none.", "Keep the journal as it is, and report it."),
    ("centre.keys", "The directory of the periods' keys cannot be used.", "Give --keys a directory of the service's own user, shared by all processes of the centre."),
    ("terminal.expired", "The terminal's certificates are not valid today, so nobody would believe what it signs.", "Check this computer's clock, then renew them: `membercard-verifier terminal renew`. Where the terminal's own has ended, the authority refuses that, and people issue a new one (`membercard-pki terminal issue`)."),
    ("refused-card.malformed", "What a terminal kept of a refused card was changed, or is no such file.", "Take the file as the terminal wrote it, below refused/ of its home."),
    ("refused-card.sealed-to-another", "The file is sealed to another inspection office.", "Ask that office."),
    ("refused-card.office", "The key or the certificate of the inspection office cannot be used, or the PIN is wrong.", "Make them with `membercard-verifier office create`."),
    ("refused-card.unwritable", "A refused card should have been kept and could not be: nothing is shown of it.", "Look whether the disk is full and whose the directory is."),
    ("refused-card.signature", "What was kept of a refused card bears a terminal's signature that does not hold, or one of a CVCA that is not trusted here.", "Give --trust with the bundle by which it was judged; if it is that one, believe nothing of the file, and ask how it came here."),
    ("refused-card.other-report", "Judging a kept card again gives another report than it had then.", "Give --trust with the bundle by which it was judged; if it is that one, report it to the makers of this program."),
    ("terminal.renewal-refused", "The authority does not renew the terminal: it was blocked, its certificate has ended, or another key followed; its own code stands in the error.", "Ask whoever runs the authority; `membercard-pki terminal issue` begins anew with a person's word."),
    ("alarm.two-places", "One card was inspected at two organisations within half an hour: one of the two is a copy, or was lent.", "Ask both offices what they saw; have the card checked where it is now."),
    ("alarm.wrong-passwords", "Ten wrong numbers within an hour at one terminal: somebody may be guessing.", "Ask the office what happened."),
    ("alarm.shared-chip", "One chip's key was seen with two cards, or one card with two chips: one of them is a clone.", "Have both cards collected and looked at by the issuer."),
    ("alarm.stopped-card", "A card that is lost, revoked or suspended, or of a signer that was stopped, was shown at a terminal.", "Ask the office whether the card was kept, and by whom it was shown."),
    ("alarm.journal-edited", "A terminal sent something else than it had sent before: its journal was changed.", "Keep the terminal's journal as it is and have it looked at."),
    ("alarm.journal-gap", "A terminal had let go of records before it uploaded them; they are missing for ever.", "Have the terminal upload more often, or raise journal_days in its policy."),
    ("centre.busy", "Somebody else changed the same thing at the same moment.", "Send the request again."),
    ("centre.database", "The centre's database does not answer, or is at another version.", _OPERATOR),
    ("centre.database-url", "The address of the centre's database is none.", "Give sqlite:///FILE or postgresql://..."),
    ("centre.database-driver", "The driver of the centre's database is not installed.", "Install membercard with its extra [postgres]."),
    ("centre.database-newer", "The centre's database was upgraded by a newer version of membercard.", "Use that version, or a newer one."),
    ("centre.migrations-differ", "The migrations do not make the tables of the centre's database.", "Report it to the makers of this program."),
    ("centre.files", "The directory of published bundles is not there.", "Make it with `membercard-verifier bundle publish`."),
    ("centre.listen", "The address or the socket cannot be listened on.", "End what listens there, or give --listen another one."),
)
# fmt: on
