"""Verification as a service: a client sends what it read, and the service judges; no client's verdict is ever believed.

What a chip proves, it proves to whoever spoke with it: chip authentication leaves nothing that could be shown to a third.
So a snapshot that no enrolled terminal signed is judged without all that only its sender says: that the chip, or the
terminal, has proven itself, and that the picture can be decoded. Its assurance is at most ``data``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pki.signed.card_states import CardState
from verifier.centre.errors import CentreError
from verifier.inspection.checks import CheckName
from verifier.inspection.holder import read_portrait
from verifier.inspection.report import Assurance, Report, inspect
from verifier.inspection.snapshot import CardSnapshot, ChipEvidence
from verifier.trust.current import LoadedTrust

__all__ = ["CardStatus", "InspectionDesk", "without_claims"]

_MAX_AGE: Final = timedelta(minutes=10)
"""How old a signed reading may be: older ones are evidence of then, for `membercard-verifier replay`."""

_CLOCKS: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStatus:
    """What the newest status list says of one card; ``state`` is ``None`` where no list knows it."""

    state: CardState | None
    list_number: int | None
    this_update: datetime | None


class InspectionDesk:
    """Judges snapshots, and looks up the status of cards, by what is trusted now."""

    def __init__(
        self,
        *,
        trust: Callable[[], LoadedTrust],
        try_portrait: Callable[[CardSnapshot], CardSnapshot],
        now: Callable[[], datetime],
    ) -> None:
        """``try_portrait`` gives a snapshot with what came of its picture here."""
        self._trust = trust
        self._try_portrait = try_portrait
        self._now = now

    def judge(self, text: str, *, purpose: str | None, is_signed: bool) -> Report:
        """Judge a stored snapshot; ``is_signed`` says that an enrolled terminal signed the request that brought it.

        Raises:
            SnapshotError: it is not what its format says.
            TrustError: the policy does not know the purpose.
            CentreError: ``centre.reading-old``: a terminal sent an old reading as a new one.
        """
        snapshot = CardSnapshot.from_json(text)
        trust = self._trust().trust
        now = self._now()
        required = trust.policy.required_checks(purpose)
        if is_signed:
            if not now - _MAX_AGE <= snapshot.read_at <= now + _CLOCKS:
                raise CentreError(
                    f"the card was read at {snapshot.read_at:%Y-%m-%d %H:%M:%S}Z, it is {now:%Y-%m-%d %H:%M:%S}Z now",
                    code="centre.reading-old",
                    hint="read the card again; old readings are judged by `membercard-verifier replay`",
                )
        else:
            snapshot = without_claims(snapshot)
            if CheckName.PORTRAIT in required and read_portrait(snapshot) is not None:
                snapshot = self._try_portrait(snapshot)
        report = inspect(
            snapshot, trust=trust.anchors, policy=trust.policy, now=now, purpose=purpose
        )
        if not is_signed and report.assurance is Assurance.DATA_AND_CHIP:
            # Nothing that is left in the snapshot can prove a chip; should it ever, it is not believed here.
            report = replace(report, assurance=Assurance.DATA)
        return report

    def card_status(self, list_id: bytes, index: int) -> CardStatus:
        """What the newest list that knows a card says of it."""
        lists = self._trust().trust.anchors.status_lists
        newest = sorted(lists, key=lambda item: (item.number, item.this_update), reverse=True)
        for item in newest:
            state = item.find(list_id, index)
            if state is not None:
                return CardStatus(
                    state=state, list_number=item.number, this_update=item.this_update
                )
        first = newest[0] if newest else None
        return CardStatus(
            state=None,
            list_number=None if first is None else first.number,
            this_update=None if first is None else first.this_update,
        )


def without_claims(snapshot: CardSnapshot) -> CardSnapshot:
    """A snapshot without all that only its sender says."""
    return replace(
        snapshot, chip=ChipEvidence(), active_authentication=None, terminal=None, portrait=None
    )
