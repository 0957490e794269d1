"""What the journal says of ceremonies: who the root's quorum is, and whether all of it is a rehearsal."""

from pki.ceremony.shares import Quorum
from pki.record.journal import JournalEntry

__all__ = ["CeremonyState"]


class CeremonyState:
    """The quorum that opens the root's keystore, and the one that is about to."""

    def __init__(self) -> None:
        self.quorum: Quorum | None = None
        self.next_quorum: Quorum | None = None
        self.identifiers: list[int] = []
        self.is_rehearsal = False
        self.begun: list[str] = []

    def begin(self, entry: JournalEntry) -> None:
        """A ceremony began."""
        self.begun.append(entry.text("ceremony"))
        self.is_rehearsal = self.is_rehearsal or bool(entry.number("rehearsal"))

    def choose(self, entry: JournalEntry) -> None:
        """The root's keystore is about to be opened by a new quorum."""
        self.next_quorum = Quorum(
            ceremony=entry.text("ceremony"),
            identifier=entry.number("identifier"),
            threshold=entry.number("threshold"),
            custodians=tuple(entry.text("custodians").split("\n")),
        )
        self.identifiers.append(self.next_quorum.identifier)

    def set(self, _: JournalEntry) -> None:
        """It is opened by that quorum."""
        if self.next_quorum is None:
            raise ValueError
        self.quorum, self.next_quorum = self.next_quorum, None
