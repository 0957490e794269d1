"""The codes of a terminal at work: its page, the programs that it is paired with, and its journal of inspections.

No card is judged by any of them. They stand in the same table as all others (`verifier.inspection.codes`).
"""

from typing import Final

__all__ = ["TERMINAL_ROWS"]

_AGAIN = "Open the address that `membercard-verifier terminal page` prints."
_KEEP = "Keep the file as it is, and report it: somebody may have changed it."

# Code, cause, what to do. fmt keeps each on its line.
# fmt: off
TERMINAL_ROWS: Final = (
    ("terminal.bad-state", "What was asked of the terminal does not fit what it is doing now.", "Look at what the terminal waits for, and ask again then."),
    ("terminal.wait", "Several wrong passwords were given in a row, and the next one is taken only after a while.", "Wait as long as the page or the message says; a right password ends the waiting."),
    ("terminal.card-removed-early", "The card was taken out, or lost its connection, before it was read.", "Put the card in again and leave it there until the verdict."),
    ("terminal.cancelled", "Somebody cancelled the inspection or cleared the screen.", "Take the card out and put it in again for another inspection."),
    ("terminal.busy", "Another program's inspection runs at this terminal.", "Wait for its end, or end it there."),
    ("terminal.bad-command", "A program sent something that is no command of docs/terminal-interface.md.", "Compare the message with docs/terminal-interface.schema.json."),
    ("terminal.host-refused", "A request named another host than the terminal's own address: a web page may try to reach it under a name of its own (DNS rebinding).", _AGAIN),
    ("terminal.origin-refused", "A request came from another web page than the terminal's own; no page of anybody else is answered.", _AGAIN),
    ("terminal.not-paired", "The browser did not come by the address that the terminal gave at its start, or the terminal was started anew since.", _AGAIN),
    ("terminal.pairing-used", "The address that pairs a browser was used before, or is wrong; each counts once.", "Get a new one: `membercard-verifier terminal page`. If nobody here used it, somebody else at this computer did: start the terminal anew."),
    ("terminal.csrf-refused", "A request that changes something does not carry the token of the page.", "Load the page again; if the code stays, another page sends requests in its name."),
    ("terminal.program-unknown", "A program came to the local interface without a token, or with one that is not paired.", "Pair it: `membercard-verifier terminal pair NAME --out FILE`."),
    ("terminal.program-name", "The name of a program is none, is paired already, or is not paired.", "Look at the list: `membercard-verifier terminal programs`."),
    ("terminal.too-long", "A request to the local page is longer than any that the page sends.", _AGAIN),
    ("terminal.not-found", "The local page has nothing at this address, or no longer: portraits are gone with their card.", _AGAIN),
    ("terminal.listen", "The address for the page is not one of this computer alone.", "Give --listen a loopback address and a port, as 127.0.0.1:24831."),
    ("terminal.port-taken", "Another program, or another terminal, listens on the port of the page.", "End it, or give --listen another port; 127.0.0.1:0 takes any free one."),
    ("terminal.home", "The terminal's own directory is broken or cannot be written.", "The error names the file. Give --home a directory of this user's."),
    ("terminal.not-running", "No terminal runs that left the address of its page.", "Start it: `membercard-verifier terminal run`, or the service."),
    ("terminal.not-installed", "The files of the service could not be written.", "Run `membercard-verifier terminal install` as root, or give --root."),
    ("journal.damaged", "The journal of inspections was changed: a record does not follow the one before it.", _KEEP),
    ("journal.end-wrong", "The journal of inspections ends elsewhere than it says: records are missing at its end.", _KEEP),
    ("journal.head-missing", "The journal of inspections has lost the row that says where it ends.", _KEEP),
    ("journal.record-too-long", "A record of an inspection is longer than any should be, and was not kept.", "Report it to the makers of this program."),
    ("journal.other-terminal", "The journal in this home is another terminal's.", "Give each terminal a --home of its own."),
    ("journal.unavailable", "The terminal's database cannot be written or read: nothing is shown of a card whose inspection is not on record.", "Look whether the disk is full and whose the file is."),
    ("journal.newer-version", "The terminal's database was written by a newer version of membercard.", "Use that version, or a newer one."),
    ("journal.migrations-differ", "The migrations do not make the tables of the terminal's database.", "Report it to the makers of this program."),
)
# fmt: on
