"""The latest time that a terminal knows of, kept over restarts: a clock that was set back makes nothing valid again.

The mark is the latest of: when the installed bundle was made, when the newest CV certificate of its ``cvca/`` begins, and
what the terminal's own clock has said. A clock behind the mark is reported, and cards are judged at the mark.

The own clock counts no further than the moment at which the installed bundle's status list is too old for every purpose:
by then the terminal refuses every card anyway, so going further would help nobody, and a clock that once jumped years
ahead would shut the terminal for years. Two approvers can take back what only the own clock said (verifier.trust.clock_reset).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Final, Self

from pki.durable import replace_file
from pki.errors import PkiError
from pki.services.terminal_export import read_certificates
from verifier.errors import TrustError
from verifier.trust.directory import Trust
from verifier.trust.installed import InstalledBundle, current_layout, installed

__all__ = ["ROLLED_BACK", "GuardedClock", "WrittenMark", "latest_evidence", "own_clock_limit"]

ROLLED_BACK: Final = "clock.rolled-back"

_FILE: Final = "clock.json"
_FORMAT: Final = 1
_MAX_BYTES: Final = 4096
_MAX_RESETS: Final = 1 << 31
_TOLERANCE: Final = timedelta(minutes=5)
"""Clocks are put right by minutes; the mark is written no more often than that either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenMark:
    """``clock.json``: the latest time known, and how often two approvers took one back."""

    latest: datetime
    resets: int = 0

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """The mark of a trust directory; ``None`` where none was written yet.

        Raises:
            TrustError: ``trust.malformed``.
        """
        path = directory / _FILE
        try:
            with path.open("rb") as file:
                found = json.loads(file.read(_MAX_BYTES))
            is_ours = found["format"] == _FORMAT
            latest = datetime.fromisoformat(found["latest"])
            resets = found.get("resets", 0)
            is_ours = is_ours and latest.tzinfo is not None
            is_ours = is_ours and type(resets) is int and 0 <= resets < _MAX_RESETS
            # The first and the last hours of the calendar are no time in UTC.
            latest = latest.astimezone(UTC)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, OverflowError, TypeError, KeyError, RecursionError) as error:
            raise _malformed(path) from error
        if not is_ours:
            raise _malformed(path)
        return cls(latest=latest, resets=resets)

    def write(self, directory: Path) -> None:
        """Keep it.

        Raises:
            TrustError: ``bundle.unwritable``: a mark that is not kept would be forgotten at the next start.
        """
        path = directory / _FILE
        document = {"format": _FORMAT, "latest": self.latest.isoformat(), "resets": self.resets}
        try:
            replace_file(path, (json.dumps(document) + "\n").encode(), mode=0o644)
        except OSError as error:
            raise TrustError(
                f"{path} cannot be written: {error.strerror}", code="bundle.unwritable"
            ) from error


@dataclass(slots=True, kw_only=True)
class GuardedClock:
    """The time of day of a terminal whose bundle is installed in ``directory``; never earlier than the mark."""

    directory: Path
    system: Callable[[], datetime]
    evidence: datetime
    """What signed files prove to be past."""

    limit: datetime
    """How far the own clock alone may move the mark."""

    _mark: datetime
    _written: WrittenMark

    @classmethod
    def open(
        cls, directory: Path, trust: Trust, *, system: Callable[[], datetime]
    ) -> "GuardedClock | None":
        """The guard of a directory in which a bundle is installed; ``None`` for any other one, which keeps no mark.

        Raises:
            TrustError: ``trust.malformed``.
        """
        found = installed(directory)
        if found is None:
            return None
        written = WrittenMark.read(directory) or _NEVER
        evidence = latest_evidence(found, current_layout(directory))
        return cls(
            directory=directory,
            system=system,
            evidence=evidence,
            limit=own_clock_limit(found, trust),
            _mark=max(evidence, written.latest),
            _written=written,
        )

    def now(self) -> datetime:
        """The time to judge at.

        Raises:
            TrustError: ``bundle.unwritable``; ``trust.malformed``: the mark was broken meanwhile.
        """
        told = self.system()
        self._take(WrittenMark.read(self.directory))
        self._mark = max(self._mark, min(told, self.limit))
        if self._mark - self._written.latest >= _TOLERANCE:
            written = replace(self._written, latest=self._mark)
            written.write(self.directory)
            self._written = written
        return max(told, self._mark)

    def known_past(self) -> datetime:
        """The mark as of now: a clock that jumped ahead moves it no further than ``limit``.

        Raises:
            TrustError: as ``now``.
        """
        self.now()
        return self._mark

    def _take(self, found: WrittenMark | None) -> None:
        """What another process has written meanwhile counts, and so does that two approvers took a mark back."""
        if found is None or found == self._written:
            return
        if found.resets > self._written.resets:
            self._mark = max(self.evidence, found.latest)
        else:
            self._mark = max(self._mark, found.latest)
        self._written = replace(found, resets=max(found.resets, self._written.resets))

    @property
    def is_rolled_back(self) -> bool:
        """Whether the clock is behind what is known to be past."""
        return self.system() < self._mark - _TOLERANCE


def latest_evidence(bundle: InstalledBundle, layout: Path) -> datetime:
    """When the bundle was made or, where that is later, when its newest CV certificate begins.

    Raises:
        TrustError: ``trust.malformed``.
    """
    if not (layout / "cvca").is_dir():
        return bundle.this_update
    try:
        certificates = read_certificates(layout / "cvca")
    except PkiError as error:
        raise TrustError(str(error), code="trust.malformed") from error
    days = [item.body.effective_date for item in certificates]
    moments = [datetime.combine(day, time(), UTC) for day in days]
    return max([bundle.this_update, *moments])


def own_clock_limit(bundle: InstalledBundle, trust: Trust) -> datetime:
    """The first moment at which no purpose believes the status list any more; without one, the bundle's own end."""
    policy = trust.policy
    usable = max(policy.status_rules(name).usable for name in (None, *policy.purposes))
    made = [item.this_update for item in trust.anchors.status_lists]
    return max([bundle.next_update, *(moment + usable for moment in made)]) + timedelta(seconds=1)


def _malformed(path: Path) -> TrustError:
    return TrustError(
        f"{path} is not of format {_FORMAT}",
        code="trust.malformed",
        hint="where this computer's clock is right, two approvers write it anew: membercard-verifier clock approve",
    )


_NEVER: Final = WrittenMark(latest=datetime.min.replace(tzinfo=UTC))
