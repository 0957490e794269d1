"""Finding a reader by name, and waiting for a card (SPEC.md leaves both to the terminal).

A name ``scheme:rest`` belongs to whatever is registered for ``scheme`` in the entry-point group
``membercard.readers``; every other name is one of PC/SC.
"""

import time
from collections.abc import Callable
from importlib import metadata

from card_layout.transport.connection import CardReader
from card_layout.transport.pcsc import (
    PcscReader,
    PcscUnavailableError,
    UnknownReaderError,
    list_pcsc_readers,
)

__all__ = [
    "ENTRY_POINT_GROUP",
    "list_readers",
    "open_reader",
    "wait_for_card",
    "wait_for_removal",
]

ENTRY_POINT_GROUP = "membercard.readers"
"""Values are callables that take the text behind ``scheme:`` and give a ``CardReader``."""

_POLL_SECONDS = 0.05


def list_readers() -> tuple[str, ...]:
    """The names of all PC/SC readers; none where there is no PC/SC.

    Raises:
        TransportError: the PC/SC service is there and failed.
    """
    try:
        return list_pcsc_readers()
    except PcscUnavailableError:
        return ()


def open_reader(name: str) -> CardReader:
    """The reader of that name: ``scheme:rest``, a PC/SC name, or a part of one that no other reader has.

    Raises:
        NoCardError: there is no such reader (code ``transport.no-reader``), or no PC/SC (``transport.no-pcsc``).
        TransportError: the PC/SC service failed.
    """
    scheme, separator, rest = name.partition(":")
    if separator:
        for entry_point in metadata.entry_points(group=ENTRY_POINT_GROUP, name=scheme):
            registered: Callable[[str], CardReader] = entry_point.load()
            return registered(rest)
    return PcscReader(_find(name, list_pcsc_readers()))


def wait_for_card(
    reader: CardReader,
    *,
    timeout_seconds: float | None = None,
    poll_seconds: float = _POLL_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until a card is in the reader; false where none came in time. ``None`` waits for ever.

    Raises:
        TransportError: the reader is gone.
    """
    return _wait(
        reader,
        is_present=True,
        timeout_seconds=timeout_seconds,
        poll_seconds=poll_seconds,
        clock=clock,
        sleep=sleep,
    )


def wait_for_removal(
    reader: CardReader,
    *,
    timeout_seconds: float | None = None,
    poll_seconds: float = _POLL_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until the reader is empty; false where the card stayed. ``None`` waits for ever.

    Raises:
        TransportError: the reader is gone.
    """
    return _wait(
        reader,
        is_present=False,
        timeout_seconds=timeout_seconds,
        poll_seconds=poll_seconds,
        clock=clock,
        sleep=sleep,
    )


def _wait(
    reader: CardReader,
    *,
    is_present: bool,
    timeout_seconds: float | None,
    poll_seconds: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> bool:
    end = None if timeout_seconds is None else clock() + timeout_seconds
    while reader.is_card_present() != is_present:
        if end is not None and clock() >= end:
            return False
        sleep(poll_seconds)
    return True


def _find(name: str, names: tuple[str, ...]) -> str:
    if name in names:
        return name
    candidates = [candidate for candidate in names if name and name in candidate]
    if len(candidates) == 1:
        return candidates[0]
    problem = (
        "is part of the names of several readers" if candidates else "is the name of no reader"
    )
    known = ", ".join(repr(candidate) for candidate in candidates or names) or "none"
    raise UnknownReaderError(f"{name!r} {problem}", hint=f"readers that there are: {known}")
