"""The way back from a clock that was far ahead: two approvers take back what the terminal holds to be past.

What signed files prove to be past stays so, whoever approves: the mark falls back to it, and the own clock counts from there.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from verifier.errors import TrustError
from verifier.trust.approvals import Approval, ApprovedMatter, Approvers
from verifier.trust.clock_mark import WrittenMark, latest_evidence
from verifier.trust.installed import InstalledBundle, current_layout, installed

__all__ = ["CLOCK_MATTER", "ClockState", "clock_state", "reset_clock"]

CLOCK_MATTER: Final = ApprovedMatter(
    needs="the time that is known to be past is taken back",
    signed="this clock's mark of now",
    command="membercard-verifier clock approve",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockState:
    """What a terminal knows of the time; ``written`` is ``None`` where nothing, or nothing readable, was written."""

    bundle: InstalledBundle
    evidence: datetime
    """What signed files prove to be past."""

    written: WrittenMark | None
    is_broken: bool

    @property
    def latest(self) -> datetime:
        """What is held to be past now."""
        return max(self.evidence, self.evidence if self.written is None else self.written.latest)

    @property
    def can_be_reset(self) -> bool:
        """Whether there is anything to take back."""
        return self.is_broken or self.latest > self.evidence

    @property
    def statement(self) -> bytes:
        """What an approver signs: this mark, on this bundle, once."""
        mark = "broken" if self.written is None else self.written.latest.isoformat()
        times = 0 if self.written is None else self.written.resets
        lines = ["membercard-clock-approval 1", f"bundle {self.bundle.sha256}", f"latest {mark}", f"resets {times}"]  # fmt: skip
        return ("\n".join(lines) + "\n").encode()


def clock_state(directory: Path) -> ClockState:
    """What the terminal of a trust directory knows of the time.

    Raises:
        TrustError: ``clock.no-mark``: no bundle is installed; ``trust.malformed``.
    """
    bundle = installed(directory)
    if bundle is None:
        raise TrustError(
            f"no bundle is installed in {str(directory)!r}, so no time is kept there",
            code="clock.no-mark",
        )
    try:
        written, is_broken = WrittenMark.read(directory), False
    except TrustError:
        written, is_broken = None, True
    return ClockState(
        bundle=bundle,
        evidence=latest_evidence(bundle, current_layout(directory)),
        written=written,
        is_broken=is_broken,
    )


def reset_clock(directory: Path, approvals: list[Approval]) -> tuple[ClockState, tuple[str, ...]]:
    """Take the mark back to what signed files prove; gives what is known now, and who approved it.

    Raises:
        TrustError: ``clock.no-mark``: there is nothing to take back; ``bundle.approval-missing``,
            ``bundle.approval-invalid``, ``bundle.approvers-malformed``, ``bundle.unwritable``, ``trust.malformed``.
    """
    state = clock_state(directory)
    if not state.can_be_reset:
        raise TrustError(
            f"only signed files say that {state.latest:%Y-%m-%d %H:%M}Z is past",
            code="clock.no-mark",
            hint="where they are wrong, install a newer bundle first",
        )
    names = Approvers.read(directory).require_two(approvals, state.statement, matter=CLOCK_MATTER)
    resets = 0 if state.written is None else state.written.resets
    WrittenMark(latest=state.evidence, resets=resets + 1).write(directory)
    return clock_state(directory), names
