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
    ("centre.request-stale", "The request was made more than five minutes ago, or ahead, by the two clocks.", "Set the terminal's clock."),
    ("centre.terminal-unknown", "The terminal is not enrolled at the centre.", "Enrol it: `membercard-verifier centre enrol`."),
    ("centre.terminal-exists", "A terminal of this name is enrolled already.", "Give each terminal a name of its own."),
    ("centre.terminal-blocked", "The terminal lost its good standing: it was reported stolen, for instance.", "If it was found, give it a new name and a new certificate."),
    ("centre.reading-old", "A terminal sent a reading as a new one that is older than ten minutes.", "Read the card again; readings of then are judged with `membercard-verifier replay`."),
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
