"""For what a chip is held, so that nobody goes on with it; and for what it is held besides, under the stop list.

Several things may hold a chip at once. A station that was told something contradictory holds it until one person has
looked at it; the stop list holds it until two people have judged it. What one person releases must never be what two
have to judge, so the lesser hold lies under the stop and comes up again when the stop is lifted.
"""

from dataclasses import dataclass, replace

from issuer.domain.chip import Serial
from issuer.domain.stock_account import HELD_AS_SAMPLE, HELD_AS_STOLEN
from issuer.errors import IssuerRefusedError

__all__ = ["ChipHold", "require_not_held"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipHold:
    """The holds of one chip.

    Attributes:
        code: the one that counts; ``None`` where nothing holds the chip.
        below: what holds it besides, once the stop list does not any more.
    """

    code: str | None = None
    below: str | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether the stop list holds it."""
        return self.code == HELD_AS_STOLEN

    def held_for(self, code: str) -> "ChipHold":
        """Somebody holds it for this reason; neither a stop nor a sample becomes less by it."""
        if code == HELD_AS_STOLEN:
            return self.stopped()
        if self.is_stopped:
            return replace(self, below=self.below or code)
        return self if self.code == HELD_AS_SAMPLE else ChipHold(code=code)

    def stopped(self) -> "ChipHold":
        """It is on the stop list; what held it before is kept below."""
        return self if self.is_stopped else ChipHold(code=HELD_AS_STOLEN, below=self.code)

    def lifted(self) -> "ChipHold":
        """It is on the stop list no more."""
        return ChipHold(code=self.below) if self.is_stopped else self

    def condemned(self) -> "ChipHold":
        """It never becomes a card, so only the stop list says something of it still."""
        return ChipHold(code=HELD_AS_STOLEN) if self.is_stopped else ChipHold()


def require_not_held(held: str | None, serial: Serial) -> None:
    """Nobody goes on with a chip, or with the card on it, while something holds it.

    Raises:
        IssuerRefusedError: ``chip.stolen``, ``chip.sample``, ``chip.held``.
    """
    if held == HELD_AS_STOLEN:
        raise IssuerRefusedError(
            "the chip is on the stop list",
            code=HELD_AS_STOLEN,
            hint="keep it apart and say so: another person than who reported it lifts or confirms the stop",
        )
    if held == HELD_AS_SAMPLE:
        raise IssuerRefusedError("the chip was taken out as a sample", code=HELD_AS_SAMPLE)
    if held is not None:
        raise IssuerRefusedError(
            f"the chip is held because of {held}",
            code="chip.held",
            hint=f"look at it, then: membercard-issuer stock release {serial.hex().upper()}",
        )
