"""The in-process reader: a card image file behind the same port as a PC/SC reader, without any daemon."""

import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from card_layout.errors import NoCardError, TransportError
from card_layout.transport.connection import CardReader
from simulators.card.operating_system import VirtualCard
from simulators.errors import ImageError
from simulators.faults import Fault, FaultyExchange, TornError
from simulators.hopper import Hopper, find_images, is_hopper
from simulators.image import CardImage
from simulators.proximity import ProximityReader

__all__ = ["HopperReader", "SimulatedConnection", "SimulatedReader", "open_reader"]


class _Slot:
    """What lies in the reader: one card, until another one takes its place."""

    def __init__(self, card: VirtualCard, other: VirtualCard) -> None:
        self.card = card
        self._other = other

    def process(self, command: bytes) -> bytes:
        """What the card that is in now answers."""
        return self.card.process(command)

    def power_off(self) -> None:
        """Take the power of the card that is in now."""
        self.card.power_off()

    def swap(self) -> None:
        """The other card is in from now on, powered, and the terminal is not told."""
        if self.card is not self._other:
            self.card.power_off()
            self.card = self._other
            self.card.power_on()


class SimulatedConnection:
    """A powered virtual card; made by ``SimulatedReader.connect``."""

    def __init__(self, slot: _Slot, exchange: FaultyExchange, proximity: ProximityReader) -> None:
        self._slot = slot
        self._exchange = exchange
        self._is_open = True
        self._is_torn = False
        self._has_transmitted = False
        self._proximity = proximity
        self._atr = slot.card.power_on()
        proximity.power_on()

    @property
    def atr(self) -> bytes:
        """The answer to the last reset."""
        return self._atr

    @property
    def is_in_use(self) -> bool:
        """Whether nobody closed the connection and the card still has power."""
        return self._is_open and self._slot.card.is_powered

    @property
    def is_torn(self) -> bool:
        """Whether the card lost its power before the connection was closed."""
        return self._is_torn or (self._is_open and not self._slot.card.is_powered)

    @property
    def has_transmitted(self) -> bool:
        """Whether the card was sent a command."""
        return self._has_transmitted

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU, give back the response APDU.

        Raises:
            TransportError: the card was torn, the answer was lost, or the connection is closed.
        """
        self._require_open()
        own = self._proximity.answer(command)
        if own is not None and self._slot.card.is_powered:
            return own
        self._has_transmitted = True
        try:
            answer = self._exchange.transmit(command)
        except TornError as error:
            raise TransportError("the card was taken away") from error
        if answer is None:
            raise TransportError("the card did not answer")
        return answer

    def reset(self) -> bytes:
        """Reset the card, which ends its session, and give back its new ATR.

        Raises:
            TransportError: the card was torn, or the connection is closed.
        """
        self._require_open()
        if not self._slot.card.is_powered:
            raise TransportError("the card was taken away")
        self._atr = self._slot.card.reset()
        self._proximity.power_on()
        return self._atr

    def close(self) -> None:
        """Let go of the card and take its power away; closing twice is harmless."""
        if self._is_open:
            self._is_torn = self.is_torn
            self._is_open = False
            self._slot.card.power_off()

    def _require_open(self) -> None:
        if not self._is_open:
            raise TransportError("the connection to the card is closed")


class SimulatedReader:
    """A reader that holds one virtual card.

    Args:
        source: an image file, which is read at every ``connect`` and replaced after every change that the card
            commits; or a card in memory.
        faults: what goes wrong, beside the faults of the image. Their ``at`` counts over the life of the reader, so
            that each strikes once; those of the image count from 1 again when a torn card is put in again.
        random: the card's randomness, for a card that is read from a file.
        sleep: waits for delays and slow cards.
        other: the card that a fault of kind ``swap`` puts in; without it one with the same image.
    """

    def __init__(
        self,
        source: Path | VirtualCard,
        *,
        faults: Sequence[Fault] = (),
        random: Callable[[int], bytes] = secrets.token_bytes,
        sleep: Callable[[float], None] = time.sleep,
        other: VirtualCard | None = None,
    ) -> None:
        self._source = source
        self._other = other
        self._faults = tuple(faults)
        self._random = random
        self._sleep = sleep
        self._connection: SimulatedConnection | None = None
        self._in_image: FaultyExchange | None = None
        self._in_reader: FaultyExchange | None = None

    @property
    def name(self) -> str:
        """``sim:`` and the path of the image; ``sim:`` alone for a card in memory."""
        return f"sim:{self._source}" if isinstance(self._source, Path) else "sim:"

    @property
    def next_command_number(self) -> int:
        """The number that the next command has for the faults of this reader; 1 before the first."""
        return 1 if self._in_reader is None else self._in_reader.next_number

    def is_card_present(self) -> bool:
        """Whether there is an image file."""
        return not isinstance(self._source, Path) or self._source.is_file()

    def connect(self) -> SimulatedConnection:
        """Power and reset the card; a card that was torn is thereby put in again.

        Raises:
            NoCardError: there is no image, it is not one, or the card is in use.
        """
        is_torn = False
        if self._connection is not None:
            if self._connection.is_in_use:
                raise NoCardError(
                    f"the card in {self.name} is in use", code="transport.reader-busy"
                )
            is_torn = self._connection.is_torn
            self._connection.close()
        card = self._insert()
        slot = _Slot(card, self._other or VirtualCard(card.image, sleep=self._sleep))
        first_of_image = 1
        if self._in_image is not None and not is_torn:
            first_of_image = self._in_image.next_number
        self._in_image = FaultyExchange(
            slot.process,
            card.image.faults,
            power_off=slot.power_off,
            sleep=self._sleep,
            first_number=first_of_image,
            swap=slot.swap,
        )
        self._in_reader = FaultyExchange(
            self._in_image.transmit,
            self._faults,
            power_off=slot.power_off,
            sleep=self._sleep,
            first_number=self.next_command_number,
            swap=slot.swap,
        )
        self._connection = SimulatedConnection(
            slot, self._in_reader, ProximityReader(secrets.token_bytes)
        )
        return self._connection

    def _insert(self) -> VirtualCard:
        if isinstance(self._source, VirtualCard):
            return self._source
        path = self._source
        try:
            image = CardImage.load(path)
        except ImageError as error:
            raise NoCardError(f"reader {self.name} has no card: {error}") from error
        return VirtualCard(
            image,
            store=lambda changed: changed.save(path),
            random=self._random,
            sleep=self._sleep,
            faults=self._faults,
        )


class HopperReader:
    """A reader that is fed: the card is swapped for the next one once it was sent a command and let go.

    After each swap the reader shows itself empty once, so that a terminal that waits for the next card sees the change.
    """

    def __init__(self, name: str, hopper: Hopper) -> None:
        self._name = name
        self._hopper = hopper
        self._reader: SimulatedReader | None = None
        self._connection: SimulatedConnection | None = None

    @property
    def name(self) -> str:
        """``sim:`` and what the hopper was made of."""
        return self._name

    def is_card_present(self) -> bool:
        """Whether a card is in; false once between two cards, and for ever after the last."""
        if self._swap():
            return False
        path = self._hopper.current
        return path is not None and path.is_file()

    def connect(self) -> SimulatedConnection:
        """Power and reset the card that is in now.

        Raises:
            NoCardError: the hopper is empty, the image is not one, or the card is in use.
        """
        self._swap()
        path = self._hopper.current
        if path is None:
            raise NoCardError(f"reader {self.name} has no card: its hopper is empty")
        if self._reader is None:
            self._reader = SimulatedReader(path)
        self._connection = self._reader.connect()
        return self._connection

    def _swap(self) -> bool:
        """Put the next card in where the last one is done; gives whether that happened."""
        if (
            self._reader is None
            or self._connection is None
            or self._connection.is_in_use
            or not self._connection.has_transmitted
        ):
            return False
        self._hopper.advance()
        self._reader = self._connection = None
        return True


def open_reader(rest: str) -> CardReader:
    """The reader of ``sim:REST``, for the entry-point group ``membercard.readers``.

    REST is an image file; or a directory or a pattern, whose images go in one after another.

    Raises:
        NoCardError: REST is empty or names no image (code ``transport.no-reader``).
    """
    if not rest:
        raise NoCardError(
            "got sim: without a path, expected sim:PATH of a card image", code="transport.no-reader"
        )
    if not is_hopper(rest):
        return SimulatedReader(Path(rest))
    try:
        return HopperReader(f"sim:{rest}", Hopper(find_images(rest)))
    except ImageError as error:
        raise NoCardError(str(error), code="transport.no-reader") from error
