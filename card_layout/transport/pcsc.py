"""Card readers through PC/SC: the only module that imports pyscard, and that only when a reader is used.

The PC/SC functions are called directly, because their result codes tell what a caller can do: put in a card,
name another reader, start the service, or treat the card's state as unknown.
"""

import contextlib
import importlib
import time
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

from card_layout.errors import NoCardError, TransportError

__all__ = [
    "PcscConnection",
    "PcscReader",
    "PcscUnavailableError",
    "ReaderBusyError",
    "UnknownReaderError",
    "list_pcsc_readers",
]

_MODULE = "smartcard.scard"
_CASE_4_SHORT_MIN_BYTES = 7
_POWER_PAUSE_SECONDS = 0.002
_POWER_LOOKS = 150
"""A card that was put in a moment ago is told present before the service has powered it: so often it is asked again."""


class PcscUnavailableError(NoCardError):
    """There is no PC/SC here: nothing was sent. ``hint`` says what to do about it."""

    default_code = "transport.no-pcsc"

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class UnknownReaderError(NoCardError):
    """No reader has that name: nothing was sent. ``hint`` names those that there are."""

    default_code = "transport.no-reader"

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class ReaderBusyError(NoCardError):
    """Another program holds the card: nothing was sent."""

    default_code = "transport.reader-busy"


def list_pcsc_readers() -> tuple[str, ...]:
    """The names of all readers that PC/SC knows, in its order.

    Raises:
        PcscUnavailableError: pyscard is not installed, or the PC/SC service does not answer.
        TransportError: the service failed.
    """
    context = _Context()
    scard = context.scard
    result, names = _call(scard, scard.SCardListReaders, context.handle, [])
    if result == scard.SCARD_E_NO_READERS_AVAILABLE:
        return ()
    _require_success(scard, result, "listing the readers")
    return tuple(str(name) for name in names)


class PcscReader:
    """One reader of the PC/SC service, by its full name."""

    def __init__(self, name: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._name = name
        self._sleep = sleep
        self._context: _Context | None = None

    @property
    def name(self) -> str:
        """The name that PC/SC gives it."""
        return self._name

    def is_card_present(self) -> bool:
        """Whether a card is in the reader now, one that does not answer included.

        Raises:
            TransportError: the reader or the service is gone.
        """
        if self._context is None:
            self._context = _Context()
        context = self._context
        scard = context.scard
        try:
            result, states = _call(
                scard,
                scard.SCardGetStatusChange,
                context.handle,
                0,
                [(self._name, scard.SCARD_STATE_UNAWARE)],
            )
            _require_success(scard, result, f"watching reader {self._name!r}")
        except TransportError:
            # A service that was started anew does not know the old context: the next call gets a new one.
            self._context = None
            raise
        _, event_state, _ = states[0]
        if event_state & scard.SCARD_STATE_UNKNOWN:
            self._context = None
            raise TransportError(f"reader {self._name!r} is gone")
        return bool(event_state & scard.SCARD_STATE_PRESENT)

    def connect(self) -> "PcscConnection":
        """Power and reset the card, and hold it for ourselves.

        A card that the service is powering at this moment is waited for, 0.3 s at most.

        Raises:
            NoCardError: there is no card, or the reader is gone or in use.
            TransportError: there is a card, and it does not answer.
        """
        return PcscConnection(self._name, sleep=self._sleep)


class PcscConnection:
    """A card held exclusively; ``close`` takes its power away, so that it forgets every session."""

    def __init__(self, reader_name: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._context: _Context | None = _Context()
        self._scard = self._context.scard
        self._reader_name = reader_name
        self._sleep = sleep
        self._card: Any = None
        try:
            self._card, self._protocol = self._open(self._context)
            # A card that another program left powered may hold a session: the reset ends it.
            self._atr = self._reset()
        except TransportError:
            self.close()
            raise

    @property
    def atr(self) -> bytes:
        """The answer to the last reset."""
        return self._atr

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU and give back the response APDU.

        Raises:
            TransportError: the exchange broke off; whether the card acted on the command is unknown.
        """
        scard = self._scard
        self._require_open()
        if self._protocol == scard.SCARD_PROTOCOL_T0:
            control_information = scard.SCARD_PCI_T0
            command = _for_protocol_t0(command)
        else:
            control_information = scard.SCARD_PCI_T1
        result, response = _call(
            scard, scard.SCardTransmit, self._card, control_information, list(command)
        )
        _require_success(scard, result, "sending a command")
        if not response:
            # Some drivers report no error where the card went away over a command, and no answer either.
            raise TransportError("the card did not answer")
        return _octets(response)

    def reset(self) -> bytes:
        """Reset the card, which ends its session, and give back its new ATR.

        Raises:
            TransportError: the card is gone.
        """
        self._require_open()
        self._atr = self._reset()
        return self._atr

    def close(self) -> None:
        """Take the card's power away and let go of it; nothing is raised, and twice is harmless."""
        card, self._card = self._card, None
        context, self._context = self._context, None
        if card is not None:
            # A failure means that the card is gone, and its power with it.
            with contextlib.suppress(TransportError):
                _call(
                    self._scard, self._scard.SCardDisconnect, card, self._scard.SCARD_UNPOWER_CARD
                )
        if context is not None:
            context.release()

    def _open(self, context: "_Context") -> tuple[Any, int]:
        scard = self._scard
        result, card, protocol = self._connect(context)
        for _ in range(_POWER_LOOKS):
            if result != scard.SCARD_W_UNPOWERED_CARD:
                break
            self._sleep(_POWER_PAUSE_SECONDS)
            result, card, protocol = self._connect(context)
        if result in (scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_REMOVED_CARD):
            raise NoCardError(f"reader {self._reader_name!r} has no card")
        if result in (scard.SCARD_E_UNKNOWN_READER, scard.SCARD_E_READER_UNAVAILABLE):
            raise UnknownReaderError(
                f"there is no reader {self._reader_name!r}", hint="plug the reader in again"
            )
        if result == scard.SCARD_E_SHARING_VIOLATION:
            raise ReaderBusyError(f"another program uses the card in {self._reader_name!r}")
        _require_success(scard, result, f"connecting to the card in {self._reader_name!r}")
        return card, protocol

    def _connect(self, context: "_Context") -> Any:
        scard = self._scard
        return _call(
            scard,
            scard.SCardConnect,
            context.handle,
            self._reader_name,
            scard.SCARD_SHARE_EXCLUSIVE,
            scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
        )

    def _reset(self) -> bytes:
        scard = self._scard
        result, self._protocol = _call(
            scard,
            scard.SCardReconnect,
            self._card,
            scard.SCARD_SHARE_EXCLUSIVE,
            scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
            scard.SCARD_RESET_CARD,
        )
        _require_success(scard, result, "resetting the card")
        result, _, _, _, atr = _call(scard, scard.SCardStatus, self._card)
        _require_success(scard, result, "reading the answer to reset")
        return _octets(atr)

    def _require_open(self) -> None:
        if self._card is None:
            raise TransportError("the connection to the card is closed")


class _Context:
    """One context of the PC/SC service, released with its owner."""

    def __init__(self) -> None:
        self.scard = _load_pyscard()
        result, self.handle = _call(
            self.scard, self.scard.SCardEstablishContext, self.scard.SCARD_SCOPE_SYSTEM
        )
        if result != self.scard.SCARD_S_SUCCESS:
            raise PcscUnavailableError(
                f"the PC/SC service does not answer: {_message(self.scard, result)}",
                hint="start pcscd (Debian: apt-get install pcscd; systemctl start pcscd)",
            )
        self._finalizer = weakref.finalize(self, self.scard.SCardReleaseContext, self.handle)

    def release(self) -> None:
        """Give the context back now rather than when it is forgotten."""
        self._finalizer()


def _load_pyscard() -> ModuleType:
    try:
        return importlib.import_module(_MODULE)
    except ImportError as error:
        raise PcscUnavailableError(
            "PC/SC readers need pyscard, which is not installed or cannot be loaded",
            hint="install it with: pip install 'membercard[pcsc]'",
        ) from error


def _call(scard: ModuleType, function: Callable[..., Any], *arguments: Any) -> Any:
    """One PC/SC function; pyscard raises for arguments and memory, and returns result codes for the rest."""
    try:
        return function(*arguments)
    except (
        scard.error,
        MemoryError,
        OverflowError,
        RuntimeError,
        SystemError,
        TypeError,
        ValueError,
    ) as error:
        raise TransportError(f"the PC/SC library failed: {type(error).__name__}") from error


def _octets(numbers: list[int]) -> bytes:
    """What pyscard gives for bytes; some builds of it give those above 7F as negative numbers."""
    try:
        return bytes(numbers)
    except ValueError:
        return bytes(number & 0xFF for number in numbers)


def _require_success(scard: ModuleType, result: int, doing: str) -> None:
    if result != scard.SCARD_S_SUCCESS:
        raise TransportError(f"{doing} failed: {_message(scard, result)}")


def _message(scard: ModuleType, result: int) -> str:
    text = str(_call(scard, scard.SCardGetErrorMessage, result)).strip().rstrip(".")
    return f"{text} ({result & 0xFFFFFFFF:08X})"


def _for_protocol_t0(command: bytes) -> bytes:
    """In T=0 a command with data carries no Le; the card answers 61xx instead (ISO/IEC 7816-3, 12.2.5)."""
    if len(command) >= _CASE_4_SHORT_MIN_BYTES and len(command) == 4 + 1 + command[4] + 1:
        return command[:-1]
    return command
