"""What a restored home may not do again: the part of the PKI's state that comes from having been restored.

What happened between a backup and its restoring is unknown. So whatever could be given out twice is closed, or goes on
behind everything that can have been given out: see decision 0025.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from pki.card_verifiable.references import HolderReference
from pki.errors import PkiRefusedError
from pki.record.journal import JournalEntry

__all__ = ["EPOCH_BYTES", "LISTS_A_SECOND", "RestoreState", "list_number_floor", "next_origin"]

EPOCH_BYTES: Final = 8
LISTS_A_SECOND: Final = 1000
"""More lists than any authority signs: each takes several synced writes and a signature."""

_SUFFIX_CHARACTERS: Final = 6
_SEQUENCE_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_SEQUENCE_STEP: Final = timedelta(minutes=1)
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTERS: Final = 26
_WITHIN_DIGIT: Final = 36**3
_WITHIN_LETTER: Final = 10 * _WITHIN_DIGIT


class RestoreState:
    """Built from journal entries, by ``pki.services.state``."""

    def __init__(self) -> None:
        self.count = 0
        self.restored_at: datetime | None = None
        self.epoch: str | None = None
        """16 hexadecimal digits, drawn anew by each restoring."""

        self.list_number = 0
        """No list that was ever signed has a higher number, unless it is in the journal."""

        self.earlier_origins: list[str] = []
        """What the log was called in its earlier epochs."""

    def apply(self, entry: JournalEntry, *, origin: str | None) -> None:
        """The home was restored from a backup; ``origin`` is the log's until then."""
        self.count += 1
        self.restored_at = entry.time
        self.epoch = entry.text("epoch")
        self.list_number = max(self.list_number, entry.number("list_number"))
        if origin is not None:
            self.earlier_origins.append(origin)

    def origin_of_epoch(self, origin: str) -> str:
        """The log's name in this epoch, from the name that it has without one."""
        return origin if self.epoch is None else f"{origin}/{self.epoch}"

    def check_new_name(self, name: str) -> None:
        """Whether nobody can have been called so between backup and restoring.

        Raises:
            PkiRefusedError: ``signer.name-after-restore``.
        """
        if self.epoch is None:
            return
        suffix = f"-{self.epoch[:_SUFFIX_CHARACTERS]}"
        if not name.endswith(suffix):
            raise PkiRefusedError(
                f"signer's name is {name[:80]!r}, expected one that ends with {suffix!r}: "
                "which names were given between backup and restoring is unknown",
                code="signer.name-after-restore",
            )

    def reference_after(
        self, latest: HolderReference | None, first: HolderReference, *, now: datetime
    ) -> HolderReference:
        """A holder's next reference: its first, the one after the latest or, in a restored home, one that tells the time.

        A number that tells the minute begins with a letter and a digit: it is later than all that count from 00001,
        and no two restored homes give the same one unless they do so in the same minute.

        Raises:
            PkiRefusedError: ``cv-certificate.sequence-exhausted``; ``cv-certificate.too-soon``: the holder got a
                number in this minute.
        """
        if self.epoch is None:
            return first if latest is None else latest.next
        reference = HolderReference(
            country=first.country, mnemonic=first.mnemonic, sequence_number=_number_of(now)
        )
        if latest is not None and not reference.is_later_than(latest):
            raise PkiRefusedError(
                f"{latest.text} is not earlier than {reference.text}, the number of this minute",
                code="cv-certificate.too-soon",
                hint="numbers of a restored home tell the minute: wait for the next one",
            )
        return reference


def list_number_floor(highest: int, *, last: datetime, now: datetime) -> int:
    """A number that no list can have had, if the last one known was signed before ``last``.

    Raises:
        PkiRefusedError: ``backup.from-the-future``: the backup's journal goes beyond this clock.
    """
    if now < last:
        raise PkiRefusedError(
            f"the backup's journal goes to {last:%Y-%m-%d %H:%M:%S}Z, this clock says {now:%Y-%m-%d %H:%M:%S}Z",
            code="backup.from-the-future",
            hint="set the clock",
        )
    elapsed = -((last - now) // timedelta(seconds=1 / LISTS_A_SECOND))
    return highest + elapsed + LISTS_A_SECOND


def next_origin(origin: str, epoch: str) -> str:
    """The log's name in a new epoch, from the one before, which may tell an epoch too."""
    name, path, _ = origin.partition("/log")
    return f"{name}{path}/{epoch}"


def _number_of(now: datetime) -> str:
    steps = (now - _SEQUENCE_START) // _SEQUENCE_STEP
    letter, rest = divmod(steps, _WITHIN_LETTER)
    if not 0 <= letter < _LETTERS:
        raise PkiRefusedError(
            f"minutes are counted from 2026 and end after 23 years, got {now:%Y-%m-%d}",
            code="cv-certificate.sequence-exhausted",
            hint="give the holder another mnemonic",
        )
    digit, rest = divmod(rest, _WITHIN_DIGIT)
    tail = ""
    for _ in range(3):
        rest, character = divmod(rest, 36)
        tail = _DIGITS[character] + tail
    return chr(ord("A") + letter) + str(digit) + tail
