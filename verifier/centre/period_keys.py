"""The centre's keys of the periods: one file a month, destroyed soon after it, and then nobody can tell the cards of it.

They lie in a directory, never in the database: a backup of the database must not bring a key back. All processes of a
centre share the directory.
"""

import re
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pki.durable import create_file, sync_directory
from verifier.centre.errors import CentreError
from verifier.services.card_pseudonym import PseudonymKey

__all__ = ["PeriodKeys", "period_of"]

_SECRET_BYTES: Final = 32
_LATE: Final = timedelta(days=14)
"""How long after its end a period's key still takes in what comes late."""

_FILE: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])\.key")


def period_of(moment: datetime) -> str:
    """The period of a time: its month in UTC, as 2026-11."""
    return f"{moment.astimezone(UTC):%Y-%m}"


class PeriodKeys:
    """The keys in a directory, which is its owner's alone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def of(self, period: str, *, now: datetime) -> PseudonymKey | None:
        """The key of a period; ``None`` of one that is over, or has not begun: what comes of it has no pseudonyms.

        Raises:
            CentreError: ``centre.keys``.
        """
        if now >= _destroyed_from(period) or period > period_of(now):
            return None
        path = self._directory / f"{period}.key"
        try:
            if not path.exists():
                self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                # Another process may be first: what it draws holds.
                with suppress(FileExistsError):
                    create_file(path, secrets.token_bytes(_SECRET_BYTES))
            secret = path.read_bytes()
        except OSError as error:
            raise _unusable(path, error) from error
        if len(secret) != _SECRET_BYTES:
            raise CentreError(
                f"{path} has {len(secret)} bytes, expected {_SECRET_BYTES}", code="centre.keys"
            )
        return PseudonymKey.from_secret(secret)

    def destroy_ended(self, *, now: datetime) -> tuple[str, ...]:
        """Destroy the keys of all periods that are over; gives their names.

        Raises:
            CentreError: ``centre.keys``.
        """
        if not self._directory.exists():
            return ()
        ended = []
        try:
            for path in sorted(self._directory.iterdir()):
                if _FILE.fullmatch(path.name) and now >= _destroyed_from(path.stem):
                    path.unlink(missing_ok=True)
                    ended.append(path.stem)
            if ended:
                sync_directory(self._directory)
        except OSError as error:
            raise _unusable(self._directory, error) from error
        return tuple(ended)


def _destroyed_from(period: str) -> datetime:
    year, month = int(period[:4]), int(period[5:])
    after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return after + _LATE


def _unusable(path: Path, error: OSError) -> CentreError:
    return CentreError(
        f"{path} cannot be used: {error.strerror}",
        code="centre.keys",
        hint="give --keys a directory of the service's own user",
    )
