"""The composition root: puts an authority together from its home."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pki.durable import replace_file
from pki.errors import PkiRefusedError, RecordError
from pki.home import Home, HomeSettings
from pki.keys.algorithms import HashAlgorithm
from pki.keys.divided import DividedKeystore
from pki.keys.keystore import Keystore
from pki.keys.open import (
    KeystoreKind,
    create_keystore,
    create_pin_file,
    open_keystore,
)
from pki.record.journal import read_journal
from pki.record.transparency_journal import LeafCollector
from pki.record.transparency_note import NoteKey
from pki.record.transparency_tree import MemoryLevels
from pki.services.authority import AUTHORITY_KEY_ID, AuthorityService, link_name
from pki.services.followed_record import FollowedRecord
from pki.services.log_keeper import LogKeeper, check_checkpoint, log_key_of, read_checkpoint
from pki.services.open_record import open_record, rebuild_log
from pki.services.recorder import Recorder
from pki.services.revocation import references_signed_by
from pki.services.rule_linter import RuleLinter
from pki.services.service_authority import SERVICE_AUTHORITY_KEY_ID
from pki.services.state import PkiState
from pki.services.trust_export import export_trust

__all__ = [
    "newest_status_list",
    "open_authority",
    "open_log_keeper",
    "prepare_home",
    "publish_again",
    "read_state",
    "rebuild",
    "write_references",
    "write_trust",
]


def prepare_home(
    home: Home, *, kind: KeystoreKind, pin_file: Path, root_keystore: Path | None = None
) -> None:
    """Make home and keystore; a home whose making broke off is finished.

    Raises:
        KeystoreError, RecordError: it cannot be made.
        PkiRefusedError: ``authority.exists``.
    """
    if home.exists:
        if home.journal.exists() and read_state(home).authority_id is not None:
            raise PkiRefusedError(
                f"there is an authority in {home.directory} already", code="authority.exists"
            )
        # The settings are written after the keystore: from here on everything is there.
        return
    pin = create_pin_file(pin_file)
    if home.keystore.exists() and any(home.keystore.iterdir()):
        # A keystore without settings was never used by anything: its making broke off.
        raise RecordError(
            f"{home.keystore} was left behind by a creation that broke off",
            code="home.unusable",
            hint="remove the directory: no certificate was issued with its keys",
        )
    create_keystore(home.keystore, kind=kind, pin=pin).close()
    home.create(
        HomeSettings(
            pin_file=pin_file.resolve(),
            root_keystore=None if root_keystore is None else root_keystore.resolve(),
        )
    )


@contextmanager
def open_authority(home: Home, *, pin_file: Path | None = None) -> Iterator[AuthorityService]:
    """The authority of a home, which it owns until the context ends.

    Raises:
        RecordError: ``home.missing``, ``record.locked``, ``record.damaged``.
        KeystoreError: the PIN or the keystore is wrong.
    """
    pin = home.read_pin(pin_file)
    with open_record(home) as journal:
        state = journal.state
        keystore: Keystore = open_keystore(home.keystore, pin=pin)
        if home.settings().root_keystore is not None:
            keystore = DividedKeystore(keystore)
        try:
            publish_again(home, state)
            yield AuthorityService(
                keystore=keystore,
                recorder=Recorder(journal=journal, state=state, now=_utc_now),
                publication=home,
                random_bytes=secrets.token_bytes,
                linter=RuleLinter(),
            )
        finally:
            keystore.close()


@contextmanager
def open_log_keeper(home: Home, *, pin_file: Path | None = None) -> Iterator[LogKeeper]:
    """The keeper of a home's transparency log, who owns the home until the context ends.

    Raises:
        RecordError: ``home.missing``, ``record.locked``, ``record.damaged``, and those of ``open_record``.
        KeystoreError: the PIN or the keystore is wrong.
    """
    pin = home.read_pin(pin_file)
    with open_record(home) as journal:
        state = journal.state
        keystore = open_keystore(home.keystore, pin=pin)
        try:
            yield LogKeeper(
                keystore=keystore,
                recorder=Recorder(journal=journal, state=state, now=_utc_now),
                log=journal.log,
                shelf=home,
            )
        finally:
            keystore.close()


def rebuild(home: Home, *, kept: Sequence[bytes], key: NoteKey | None) -> int:
    """Make a home's log anew from its journal, if that fits the home's checkpoint and those kept elsewhere.

    Raises:
        RecordError: ``home.missing``, ``record.locked``, ``record.damaged``, ``log.write-failed``.
        PkiRefusedError: ``log.cut``, ``log.inconsistent``, ``log.signature-wrong``: the journal is what was changed.
    """
    home.settings()
    state = read_state(home)
    own = home.read_checkpoint()

    def check(collector: LeafCollector) -> None:
        levels = MemoryLevels(collector.leaf_hashes)
        if own is not None:
            check_checkpoint(read_checkpoint(own, [log_key_of(state)]), levels)
        for note in kept:
            trusted = key if key is not None else log_key_of(state, note)
            check_checkpoint(read_checkpoint(note, [trusted]), levels)

    return rebuild_log(home, check=check)


def read_state(home: Home) -> PkiState:
    """What an authority has done, without owning it: also while another process signs.

    Raises:
        RecordError: ``home.missing``, ``record.damaged``, ``record.unreadable``.
    """
    return FollowedRecord(home).catch_up()


def write_trust(home: Home, directory: Path) -> list[tuple[Path, bool]]:
    """Write a verifier's trust directory; give back each file and whether it was written (else kept as it was).

    Raises:
        PkiRefusedError: ``authority.missing``, ``crl.missing``.
        RecordError: ``home.missing``, ``record.damaged``, ``trust.unwritable``.
    """
    state = read_state(home)
    files = export_trust(state, status_list=newest_status_list(home, state))
    results: list[tuple[Path, bool]] = []
    try:
        for file in files:
            path = directory / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            is_written = not (file.is_kept and path.exists())
            if is_written:
                replace_file(path, file.content, mode=0o644)
            results.append((path, is_written))
    except OSError as error:
        raise RecordError(
            f"trust directory {directory} cannot be written: {error.strerror}",
            code="trust.unwritable",
        ) from error
    return results


def write_references(home: Home, signer_id: str, path: Path) -> int:
    """Write the references of all cards that a signer signed, or may have, as CSV; give back how many.

    Raises:
        RecordError: ``home.missing``, ``record.damaged``, ``references.unwritable``.
    """
    lines = ["reference,signing_time,digest"]
    lines.extend(
        f"{item.reference},{item.signing_time},{item.digest}"
        for item in references_signed_by(read_journal(home.journal), signer_id)
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        raise RecordError(
            f"list of references {path} cannot be written: {error.strerror}",
            code="references.unwritable",
        ) from error
    return len(lines) - 1


def publish_again(home: Home, state: PkiState) -> None:
    """Publish what a crash kept from being published; the journal has it all."""
    certificates: list[tuple[str, bytes | None]] = [
        *((key_id, item.certificate) for key_id, item in state.authorities.items()),
        *((link_name(key_id), item.link) for key_id, item in state.authorities.items()),
        *((signer_id, item.certificate) for signer_id, item in state.signers.items()),
        *((f"service-{name}", item.certificate) for name, item in state.services.items()),
        (SERVICE_AUTHORITY_KEY_ID, state.service_authority_certificate),
    ]
    for name, certificate in certificates:
        if certificate is not None:
            home.publish_certificate(name, certificate)
    for name, crl in (
        (AUTHORITY_KEY_ID, state.crl),
        (SERVICE_AUTHORITY_KEY_ID, state.service_crl),
    ):
        if crl is not None:
            home.publish_crl(name, crl)
    if state.stop_list is not None:
        home.publish_stop_list(AUTHORITY_KEY_ID, state.stop_list)
    if state.master_list is not None:
        home.publish_master_list(AUTHORITY_KEY_ID, state.master_list)
    status_list = newest_status_list(home, state)
    if status_list is not None:
        home.publish_status_list(AUTHORITY_KEY_ID, status_list)


def newest_status_list(home: Home, state: PkiState) -> bytes | None:
    """The newest status list as it lies in the home; ``None`` where there is none, or another one than was issued."""
    if state.status_list is None:
        return None
    der = home.kept_status_list(state.status_list.number)
    if der is None or HashAlgorithm.SHA256.digest(der).hex() != state.status_list.sha256:
        return None
    return der


def _utc_now() -> datetime:
    return datetime.now(UTC)
