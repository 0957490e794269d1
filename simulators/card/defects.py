"""The faults that the card itself has: files that lie about their length or lose it, instructions that it refuses."""

from collections.abc import Sequence

from simulators.card.command import Command
from simulators.card.status import Refused
from simulators.faults import Fault, FaultKind, overlong

__all__ = ["Defects"]


class Defects:
    """Carries out the faults of ``simulators.faults.IN_CARD``; all others are not the card's."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._overlong_files = frozenset(
            fault.path for fault in faults if fault.kind is FaultKind.OVERLONG_LENGTH
        )
        self._shrinking_files = {
            fault.path for fault in faults if fault.kind is FaultKind.SHRINKING_FILE
        }
        self._shrunk_files: set[str] = set()
        self._refusals = tuple(
            fault for fault in faults if fault.kind is FaultKind.INSTRUCTION_REFUSED
        )

    def content(self, path: str, data: bytes) -> bytes:
        """What reading file ``path`` gives, now."""
        if path in self._shrunk_files:
            data = data[: len(data) // 2]
        elif path in self._shrinking_files:
            self._shrunk_files.add(path)
        return overlong(data) if path in self._overlong_files else data

    def check(self, command: Command, number: int) -> None:
        """Let a command pass that nothing is wrong with; ``number`` is its number on the wire.

        Raises:
            Refused: with the status word of the first fault that fits.
        """
        for fault in self._refusals:
            if fault.fits(number=number, ins=command.ins, p1=command.p1):
                raise Refused(fault.status_word)
