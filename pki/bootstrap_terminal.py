"""The composition root of the terminals' certificates: services put together from a home."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pki.bootstrap import prepare_home
from pki.errors import RecordError
from pki.home import Home
from pki.keys.open import KeystoreKind, open_keystore
from pki.services.cv_issuer import CvIssuer, publish_all
from pki.services.open_record import open_record
from pki.services.recorder import Recorder
from pki.services.terminal_authority import TerminalAuthorityService
from pki.services.terminal_requests import TerminalRequestService
from pki.services.terminals import TerminalService

__all__ = ["TerminalServices", "ensure_home", "open_terminal_services"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalServices:
    """The services of one home: for the CVCA and its verifiers, for terminals, and of terminals."""

    authority: TerminalAuthorityService
    terminals: TerminalService
    requests: TerminalRequestService


def ensure_home(home: Home, *, kind: KeystoreKind, pin_file: Path | None) -> bool:
    """Make home and keystore where there are none; say whether that was so.

    Raises:
        RecordError: ``home.missing``: there is none, and no PIN file was given to make one with.
        KeystoreError: it cannot be made.
    """
    if home.exists:
        return False
    if pin_file is None:
        raise RecordError(
            f"{home.directory} is no home, and no PIN file was given to make one",
            code="home.missing",
            hint="give --pin-file FILE; it is made with a random PIN if absent",
        )
    prepare_home(home, kind=kind, pin_file=pin_file)
    return True


@contextmanager
def open_terminal_services(
    home: Home, *, pin_file: Path | None = None
) -> Iterator[TerminalServices]:
    """The services of a home, which they own until the context ends.

    Raises:
        RecordError: ``home.missing``, ``record.locked``, ``record.damaged``.
        KeystoreError: the PIN or the keystore is wrong.
    """
    pin = home.read_pin(pin_file)
    with open_record(home) as journal:
        state = journal.state
        keystore = open_keystore(home.keystore, pin=pin)
        try:
            publish_all(state.card_verifiable, home)
            recorder = Recorder(journal=journal, state=state, now=_utc_now)
            issuer = CvIssuer(keystore=keystore, recorder=recorder, publication=home)
            yield TerminalServices(
                authority=TerminalAuthorityService(issuer),
                terminals=TerminalService(issuer),
                requests=TerminalRequestService(keystore=keystore, recorder=recorder),
            )
        finally:
            keystore.close()


def _utc_now() -> datetime:
    return datetime.now(UTC)
