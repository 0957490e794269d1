"""Signing checkpoints of the transparency log: what others keep, so that nobody can change the past unseen.

A checkpoint's signature is recorded before it is made like every other one, and so has a leaf of its own. That
leaf covers the journal's entry before it: a checkpoint seals everything that was recorded until then, also what
is no signature, such as a revocation.
"""

import re
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from card_layout.curves import NamedCurve
from pki.certificates.trust import Authority
from pki.errors import PkiRefusedError
from pki.keys.algorithms import elliptic_curve_key
from pki.keys.keystore import Keystore
from pki.keys.signer import Signer
from pki.record.transparency_note import Checkpoint, NoteKey, NoteVerifier, SignedNote, sign_note
from pki.record.transparency_tree import HashLevels, tree_root
from pki.services.key_room import LOG_KEY_ID, KeyRoom, SigningKeys
from pki.services.recorder import Recorder
from pki.services.state import EntryKind, PkiState

__all__ = [
    "CheckpointShelf",
    "LogKeeper",
    "ReadableLog",
    "check_checkpoint",
    "log_key_of",
    "read_checkpoint",
]


class ReadableLog(HashLevels, Protocol):
    """A log whose tree can be read."""

    @property
    def size(self) -> int:
        """The number of leaves."""


class CheckpointShelf(Protocol):
    """Where the newest checkpoint lies for others to fetch."""

    def read_checkpoint(self) -> bytes | None:
        """The newest one; ``None`` before the first."""

    def publish_checkpoint(self, note: bytes) -> None:
        """Put a new one there."""


class LogKeeper:
    """The log's key, and the checkpoints that it signs.

    ``keystore`` is ``None`` in a process that makes no keys; ``signing_keys`` are those that it may use.
    """

    def __init__(
        self,
        *,
        keystore: Keystore | None,
        recorder: Recorder,
        log: ReadableLog,
        shelf: CheckpointShelf,
        signing_keys: SigningKeys | None = None,
    ) -> None:
        self._keystore = keystore
        self._signing_keys = signing_keys if signing_keys is not None else keystore
        self._recorder = recorder
        self._log = log
        self._shelf = shelf

    def sign_checkpoint(self) -> SignedNote:
        """The newest checkpoint; a new one where anything was recorded since the last.

        The first call makes the log's key, and gives the log its name.

        Raises:
            PkiRefusedError: ``authority.missing``; ``signing.key-mismatch``; ``log.inconsistent``, ``log.cut``: the
                last checkpoint is of another history than this log, and no second one is signed.
            PkiDataError: ``log.note-malformed``, ``log.checkpoint-malformed``: the last checkpoint is damaged.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        key, signer = self._open_key()
        previous = self._previous(key)
        if previous is not None:
            note, checkpoint = previous
            # A log never signs a checkpoint that contradicts an earlier one (c2sp.org/tlog-checkpoint).
            check_checkpoint(checkpoint, self._log)
            if self._recorder.state.is_sealed and checkpoint.size == self._log.size:
                return note
        if not self._recorder.state.is_sealed:
            self._recorder.record(
                EntryKind.CHECKPOINT_INTENDED,
                key=LOG_KEY_ID,
                origin=key.name,
                size=self._log.size + 1,
            )
        size = self._log.size
        text = Checkpoint(origin=key.name, size=size, root=tree_root(self._log, size)).to_text()
        signature = sign_note(text, name=key.name, signer=signer)
        note = SignedNote(text=text, signatures=(signature,))
        note.verify([key])
        self._shelf.publish_checkpoint(note.to_bytes())
        return note

    def require_key(self) -> None:
        """Make sure that a checkpoint can be signed; the first call makes the log's key, where keys are made.

        Raises:
            PkiRefusedError: ``authority.missing``, ``signing.key-mismatch``, ``log.not-started``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        self._open_key()

    def _previous(self, key: NoteKey) -> tuple[SignedNote, Checkpoint] | None:
        data = self._shelf.read_checkpoint()
        if data is None:
            return None
        note = SignedNote.from_bytes(data)
        return note, Checkpoint.open(note, [key])

    def _open_key(self) -> tuple[NoteKey, Signer]:
        state = self._recorder.state
        if state.authority_certificate is None:
            raise PkiRefusedError(
                "there is no authority yet",
                code="authority.missing",
                hint="membercard-pki authority create",
            )
        if state.log_key is None:
            if LOG_KEY_ID in state.signers:
                raise PkiRefusedError(
                    f"a document signer has the name {LOG_KEY_ID!r}", code="signer.exists"
                )
            if self._keystore is None:
                raise _not_started()
            keys = KeyRoom(keystore=self._keystore, recorder=self._recorder)
            made = keys.create(LOG_KEY_ID, curve=NamedCurve.SECP256R1)
            spki = made.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            self._recorder.record(
                EntryKind.LOG_STARTED,
                key=LOG_KEY_ID,
                origin=state.restores.origin_of_epoch(
                    _origin(state.authority_certificate, state.distribution_point)
                ),
                public_key=spki.hex(),
            )
        key = log_key_of(state)
        if self._signing_keys is None:
            raise TypeError("the log's keeper was given neither a keystore nor keys")
        signer = self._signing_keys.signer(LOG_KEY_ID)
        if NoteKey.from_public_key(key.name, elliptic_curve_key(signer.public_key)) != key:
            raise PkiRefusedError(
                "the log's key is not the one in the journal", code="signing.key-mismatch"
            )
        return key, signer


def log_key_of(state: PkiState, note: bytes | None = None) -> NoteKey:
    """The key that verifies this authority's checkpoints; for a note of an earlier epoch, with the log's name then.

    Raises:
        PkiRefusedError: ``log.not-started``.
        PkiDataError: ``log.key-malformed``.
    """
    if state.log_key is None or state.log_origin is None:
        raise _not_started()
    stated = b"" if note is None else note.partition(b"\n")[0]
    earlier = [name for name in state.restores.earlier_origins if name.encode() == stated]
    return NoteKey(name=earlier[0] if earlier else state.log_origin, spki=state.log_key)


def check_checkpoint(checkpoint: Checkpoint, log: ReadableLog) -> None:
    """Whether a log still holds all that an earlier checkpoint sealed, unchanged and in its order.

    Raises:
        PkiRefusedError: ``log.cut``: it is shorter; ``log.inconsistent``: it holds something else.
    """
    if checkpoint.size > log.size:
        raise PkiRefusedError(
            f"log has {log.size} leaves, the checkpoint has {checkpoint.size}: the tail was cut",
            code="log.cut",
            hint="stop signing, and compare journal and log with the last backup",
        )
    if tree_root(log, checkpoint.size) != checkpoint.root:
        raise PkiRefusedError(
            f"the first {checkpoint.size} leaves are not those of the checkpoint: "
            "a record was changed, removed, added or moved",
            code="log.inconsistent",
            hint="stop signing, and compare journal and log with the last backup",
        )


def read_checkpoint(data: bytes, keys: Sequence[NoteVerifier]) -> Checkpoint:
    """The checkpoint in a file, signed by every one of these keys, the log's first.

    Raises:
        PkiDataError, PkiRefusedError: see ``SignedNote.from_bytes`` and ``Checkpoint.open``.
    """
    return Checkpoint.open(SignedNote.from_bytes(data), keys)


def _not_started() -> PkiRefusedError:
    return PkiRefusedError(
        "the log has no key yet", code="log.not-started", hint="membercard-pki log checkpoint"
    )


def _origin(authority_certificate: bytes, distribution_point: str | None) -> str:
    """A name like a URL without its scheme (c2sp.org/tlog-checkpoint), which no other authority's log has."""
    identifier = Authority.from_bytes(authority_certificate).key_identifier.hex()
    try:
        host = urlsplit(distribution_point or "").hostname or ""
    except ValueError:
        # The address of the CRL may be anything printable; a name of ours may not.
        host = ""
    if not re.fullmatch(r"[a-z0-9.-]{1,100}", host):
        host = "membercard-pki"
    return f"{host}/{identifier[:16]}/log"
