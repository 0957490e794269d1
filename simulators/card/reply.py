"""What a handler of the card gives back to the dispatcher."""

from dataclasses import dataclass, field

from simulators.card.status import StatusWord

__all__ = ["Reply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Data and status word of an answer, before any secure messaging."""

    data: bytes = field(default=b"", repr=False)
    status_word: int = StatusWord.SUCCESS
