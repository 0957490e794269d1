"""Heads of other programs' journals, taken into the transparency log: what stood there then cannot be changed unseen.

An issuer's audit trail is a chain of its own. Its head, 32 bytes that mean nothing here, is recorded with a leaf in the log; a
checkpoint is signed behind it, and the proof goes back. What was noted once is held against whatever comes later from the
same journal: a head that is shorter, or another one of the same length, is refused.
"""

from typing import Final

from pki.errors import PkiRefusedError, RecordError
from pki.record.journal import JournalEntry
from pki.record.transparency_journal import leaf_index
from pki.record.transparency_note import Checkpoint
from pki.record.transparency_proof import InclusionProof
from pki.record.transparency_tree import inclusion_proof
from pki.services.entry_kinds import EntryKind
from pki.services.journal_head_state import NotedHead, noted_head
from pki.services.log_keeper import LogKeeper, ReadableLog
from pki.services.recorder import Recorder

__all__ = [
    "JOURNAL_BYTES",
    "MAX_JOURNALS",
    "MAX_SEQUENCE",
    "JournalHeadService",
    "read_noted_head",
]

JOURNAL_BYTES: Final = 16
MAX_SEQUENCE: Final = 2**53 - 1
MAX_JOURNALS: Final = 1000
"""An authority's offices have one journal each; who invents names must not fill the memory."""

_DIGEST_BYTES: Final = 32


class JournalHeadService:
    """Notes heads, and proves that it did."""

    def __init__(self, *, recorder: Recorder, keeper: LogKeeper, log: ReadableLog) -> None:
        self._recorder = recorder
        self._keeper = keeper
        self._log = log

    def note(self, head: NotedHead) -> InclusionProof:
        """Record a head, sign a checkpoint behind it, give the proof back; the same head again is recorded once.

        Raises:
            PkiRefusedError: ``journal-head.invalid``; ``journal-head.back``: a longer one was noted;
                ``journal-head.differs``: another one of this length was noted; ``journal-head.too-many``;
                ``log.not-started``, and as ``LogKeeper.sign_checkpoint``.
            RecordError, KeystoreError: it is unfinished; ask again.
        """
        _check_form(head)
        heads = self._recorder.state.journal_heads
        known = heads.newest.get(head.journal)
        if known is None and len(heads.newest) >= MAX_JOURNALS:
            raise PkiRefusedError(
                f"heads of {MAX_JOURNALS} journals are noted, which is all that there may be",
                code="journal-head.too-many",
            )
        if known is not None:
            _check_growth(known[0], head)
        # A log without a key would take the head and could prove nothing.
        self._keeper.require_key()
        if known is None or known[0] != head:
            self._recorder.record(
                EntryKind.JOURNAL_HEAD_NOTED,
                journal=head.journal.hex(),
                sequence=head.sequence,
                head=head.digest.hex(),
            )
        return self._prove(heads.newest[head.journal][1])

    def _prove(self, entry: JournalEntry) -> InclusionProof:
        note = self._keeper.sign_checkpoint()
        leaf = leaf_index(entry)
        if leaf is None:
            raise RecordError(
                f"entry {entry.sequence} has no leaf in the log", code="record.damaged"
            )
        checkpoint = Checkpoint.from_text(note.text)
        proof = InclusionProof(
            record=entry.to_bytes(),
            index=leaf,
            hashes=inclusion_proof(self._log, leaf, checkpoint.size),
            note=note,
        )
        # Nothing wrong leaves the house.
        proof.verify_under(checkpoint)
        return proof


def read_noted_head(entry: JournalEntry) -> NotedHead:
    """The head that a record notes, once a proof has shown that the record stands in the log.

    Raises:
        PkiRefusedError: ``log.other-record``: it is about something else.
    """
    if entry.kind != EntryKind.JOURNAL_HEAD_NOTED.value:
        raise PkiRefusedError(
            f"proof is about a record of kind {entry.kind[:40]!r}, expected the head of a journal",
            code="log.other-record",
        )
    try:
        head = noted_head(entry)
        _check_form(head)
    except (RecordError, ValueError, PkiRefusedError) as error:
        raise PkiRefusedError(
            "proof is about a head that cannot be read", code="log.other-record"
        ) from error
    return head


def _check_form(head: NotedHead) -> None:
    if (
        len(head.journal) != JOURNAL_BYTES
        or len(head.digest) != _DIGEST_BYTES
        or not 1 <= head.sequence <= MAX_SEQUENCE
    ):
        raise PkiRefusedError(
            f"head has a journal of {len(head.journal)} bytes, sequence {head.sequence} and a digest of "
            f"{len(head.digest)} bytes, expected {JOURNAL_BYTES}, 1 to {MAX_SEQUENCE} and {_DIGEST_BYTES}",
            code="journal-head.invalid",
        )


def _check_growth(known: NotedHead, head: NotedHead) -> None:
    if head.sequence < known.sequence:
        raise PkiRefusedError(
            f"journal {head.journal.hex()} has {head.sequence} records, {known.sequence} were noted: "
            "its tail was cut",
            code="journal-head.back",
            hint="check the journal against the checkpoints that were kept",
        )
    if head.sequence == known.sequence and head != known:
        raise PkiRefusedError(
            f"record {head.sequence} of journal {head.journal.hex()} was noted as another one: it was changed",
            code="journal-head.differs",
            hint="check the journal against the checkpoints that were kept",
        )
