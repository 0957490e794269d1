"""Signing a status list in this process, for an issuer whose authority runs no signer process."""

import secrets
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pki.home import Home
from pki.keys.open import open_keystore
from pki.services.issuance import IssuanceCycle
from pki.services.open_record import open_record
from pki.services.recorder import Recorder
from pki.services.rule_linter import RuleLinter
from pki.services.status_lists import ServedAuthority, ServedKeys, StatusListService
from pki.signed.card_states import CardStates

__all__ = ["issue_status"]


def issue_status(
    home: Path, states: CardStates, *, lifetime: timedelta, pin_file: Path | None
) -> bytes:
    """The next status list of a home, signed, recorded and published there.

    Raises:
        RecordError: ``home.missing``, ``record.locked``: the signer process runs, ask that; ``record.damaged``.
        KeystoreError: the PIN or the keystore is wrong.
        PkiRefusedError: as ``StatusListService.issue``.
    """
    place = Home(home)
    pin = place.read_pin(pin_file)
    with (
        open_record(place) as journal,
        closing(open_keystore(place.keystore, pin=pin)) as keystore,
    ):
        recorder = Recorder(journal=journal, state=journal.state, now=_utc_now)
        authority = ServedAuthority(
            recorder=recorder,
            keys=ServedKeys(keys=keystore),
            cycle=IssuanceCycle(
                recorder=recorder, random_bytes=secrets.token_bytes, linter=RuleLinter()
            ),
        )
        issued = StatusListService(authority, place).issue(states, lifetime=lifetime)
    return issued.status_list.der


def _utc_now() -> datetime:
    return datetime.now(UTC)
