"""A reader that may be unplugged, and is found again when it is back."""

from collections.abc import Callable

from card_layout.errors import TransportError
from card_layout.transport.connection import CardConnection, CardReader

__all__ = ["AwaitedReader"]


class AwaitedReader:
    """The reader of a name, looked for anew whenever it is not there: PC/SC may give it another full name then."""

    def __init__(self, name: str, *, find: Callable[[str], CardReader]) -> None:
        self._name = name
        self._find = find
        self._found: CardReader | None = None

    @property
    def name(self) -> str:
        """The full name where it is there, else the one that it is looked for by."""
        return self._name if self._found is None else self._found.name

    def is_card_present(self) -> bool:
        """Whether a card is in the reader now.

        Raises:
            TransportError: the reader is not there.
        """
        reader = self._reader()
        try:
            return reader.is_card_present()
        except TransportError:
            self._found = None
            raise

    def connect(self) -> CardConnection:
        """Power and reset the card.

        Raises:
            NoCardError: there is none, or no reader.
            TransportError: there was one, and it went away or does not answer.
        """
        return self._reader().connect()

    def _reader(self) -> CardReader:
        if self._found is None:
            self._found = self._find(self._name)
        return self._found
