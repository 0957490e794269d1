"""Noting a journal's head in this process, for an issuer whose authority runs no signer process."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from pki.home import Home
from pki.keys.open import open_keystore
from pki.record.transparency_note import NoteKey
from pki.record.transparency_proof import InclusionProof
from pki.services.journal_head_state import NotedHead
from pki.services.journal_heads import JournalHeadService
from pki.services.log_keeper import LogKeeper, log_key_of
from pki.services.open_record import open_record
from pki.services.recorder import Recorder

__all__ = ["note_head"]


def note_head(
    home: Path, head: NotedHead, *, pin_file: Path | None
) -> tuple[InclusionProof, NoteKey]:
    """Note a head; the proof, and the key of the log that it is under.

    Raises:
        RecordError: ``home.missing``, ``record.locked``: the signer process runs, ask that; ``record.damaged``.
        KeystoreError: the PIN or the keystore is wrong.
        PkiRefusedError: as ``JournalHeadService.note``.
    """
    place = Home(home)
    pin = place.read_pin(pin_file)
    with (
        open_record(place) as journal,
        closing(open_keystore(place.keystore, pin=pin)) as keystore,
    ):
        recorder = Recorder(journal=journal, state=journal.state, now=_utc_now)
        keeper = LogKeeper(keystore=keystore, recorder=recorder, log=journal.log, shelf=place)
        service = JournalHeadService(recorder=recorder, keeper=keeper, log=journal.log)
        return service.note(head), log_key_of(journal.state)


def _utc_now() -> datetime:
    return datetime.now(UTC)
