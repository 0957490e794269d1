"""The signer's desk: what clients ask for is judged, recorded together with one write, signed or sealed, and given back.

Nothing here knows of sockets. The desk is used by one thread. Between ``record`` and ``collect`` the keys' process
signs, so that the next orders are judged meanwhile.
"""

import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from pki.errors import KeystoreError, PkiDataError, PkiError, PkiRefusedError
from pki.keys.derivation import Derivation
from pki.services.authorising import accept_authorisation
from pki.services.document_signer import InProcessDocumentSigner, PreparedBatch, SigningTally
from pki.services.journal_head_state import NotedHead
from pki.services.journal_heads import JournalHeadService
from pki.services.recorder import Recorder
from pki.services.state import EntryKind
from pki.services.status_lists import StatusListService
from pki.services.terminals import TerminalService
from pki.services.wrapping import PreparedWrapping, WrappingTally, prepare_wrapping
from pki.signed.authorisation import BatchAuthorisation
from pki.signed.card_states import CardStates
from pki.signer_service.protocol import AuthorisedAnswer, SignRequest, WrapRequest

__all__ = ["Desk", "KeyProcess", "Order"]

MAX_JOBS_WITH_KEYS: Final = 2
"""One that is being signed and the next one; what the pipe to the keys must hold stays small."""


class KeyProcess(Protocol):
    """Signs elsewhere, in the order of asking (``pki.keys.token_process.TokenProcess``)."""

    def submit(self, key_id: str, messages: Sequence[bytes]) -> None:
        """Ask for signatures."""

    def submit_derivations(self, derivations: Sequence[Derivation]) -> None:
        """Ask for keys that are derived from master keys."""

    def collect(self) -> list[bytes]:
        """The signatures, or the keys, for the oldest request."""


@dataclass(eq=False, slots=True, kw_only=True)
class Order:
    """One client's request; ``answer`` holds the security objects, or one file of sealed keys, or an error."""

    request: SignRequest | WrapRequest
    answer: list[bytes] | PkiError | None = field(default=None, repr=False)

    @property
    def size(self) -> int:
        """How much of a write to the journal it takes, in cards."""
        return len(self.request.cards) if isinstance(self.request, SignRequest) else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    order: Order
    work: "_Signing | PreparedWrapping"

    @property
    def records(self) -> Sequence[tuple[EntryKind, dict[str, str | int | None]]]:
        return (
            self.work.records
            if isinstance(self.work, PreparedWrapping)
            else self.work.batch.records
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signing:
    signer_id: str
    batch: PreparedBatch

    def finish(self, signatures: Sequence[bytes]) -> list[bytes]:
        return self.batch.finish(signatures)


class Desk:
    """Judges and records orders, and passes them to the keys."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        signers: Mapping[str, InProcessDocumentSigner],
        keys: KeyProcess,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        terminals: TerminalService | None = None,
        heads: JournalHeadService | None = None,
        status_lists: StatusListService | None = None,
    ) -> None:
        self._terminals = terminals
        self._heads = heads
        self._status_lists = status_lists
        self._random_bytes = random_bytes
        self._recorder = recorder
        self._signers = signers
        self._keys = keys
        self._recorded: deque[_Recorded] = deque()
        self._with_keys: deque[_Recorded] = deque()

    @property
    def is_working(self) -> bool:
        """Whether recorded orders wait for signatures."""
        return bool(self._recorded or self._with_keys)

    @property
    def wants_orders(self) -> bool:
        """Whether the keys would soon be idle; until then, orders are better collected for one write."""
        return not self._recorded

    def authorise(self, content: bytes) -> AuthorisedAnswer:
        """Accept a batch authorisation.

        Raises:
            AuthorisationError: ``authorisation.malformed``.
            PkiRefusedError: as ``accept_authorisation``; ``signer.unknown``, ``signer.revoked``.
            RecordError: it is not recorded.
        """
        authorisation = BatchAuthorisation.from_bytes(content)
        signer = self._signer(authorisation.signer_id)
        record = accept_authorisation(authorisation, self._recorder)
        return AuthorisedAnswer(
            batch=record.batch,
            signer_id=record.signer_id,
            cards=record.cards,
            signed=record.signed,
            hash_algorithm=signer.hash_algorithm,
            certificate=signer.certificate,
        )

    def renew(self, request: bytes) -> bytes:
        """A terminal's next certificate; only while the desk is not working, because the keys answer in order.

        Raises:
            PkiRefusedError, PkiDataError: as ``TerminalService.renew_terminal``; ``document-verifier.unknown``.
            RecordError: nothing counts as done.
            KeystoreError: ``keystore.process-failed``; ``keystore.key-unknown``.
        """
        if self._terminals is None:
            raise PkiRefusedError(
                "this process serves no document verifier",
                code="document-verifier.unknown",
                hint="membercard-pki terminal dv create, then start the signer again",
            )
        return self._terminals.renew_again(request).to_bytes()

    def note_head(self, head: NotedHead) -> bytes:
        """The proof that a journal's head stands in the log; only while the desk is not working, as ``renew``.

        Raises:
            PkiRefusedError, PkiDataError: as ``JournalHeadService.note``.
            RecordError: nothing counts as done.
            KeystoreError: ``keystore.process-failed``; ``keystore.key-unknown``.
        """
        if self._heads is None:
            raise PkiRefusedError("this process notes no heads", code="log.not-started")
        return self._heads.note(head).to_bytes()

    def issue_status(self, states: CardStates, *, days: int) -> bytes:
        """The next status list, published at home; only while the desk is not working, as ``renew``.

        Raises:
            PkiRefusedError: as ``StatusListService.issue``.
            RecordError: it is unfinished, or not begun; its number stays used.
            KeystoreError: ``keystore.process-failed``; ``keystore.key-unknown``.
        """
        if self._status_lists is None:
            raise PkiRefusedError(
                "this process signs no status lists", code="status-list.no-signer"
            )
        return self._status_lists.issue(states, lifetime=timedelta(days=days)).status_list.der

    def record(self, orders: Sequence[Order]) -> None:
        """Judge each order by itself, then record all that are good with one write.

        Refused orders have their answer at once.

        Raises:
            RecordError: nothing was recorded for certain, and nothing is signed.
            KeystoreError: ``keystore.process-failed``.
        """
        tally = SigningTally()
        wrapping_tally = WrappingTally()
        accepted: list[_Recorded] = []
        for order in orders:
            try:
                accepted.append(self._prepare(order, tally, wrapping_tally))
            except (PkiRefusedError, PkiDataError) as error:
                order.answer = error
        records: list[tuple[EntryKind, dict[str, str | int | None]]] = []
        for each in accepted:
            records += each.records
        self._recorder.record_many(records)
        self._recorded += accepted
        self._feed()

    def collect(self) -> Order:
        """The oldest order that is with the keys, answered.

        Raises:
            KeystoreError: ``keystore.process-failed``: the keys are gone; any other failure is the order's answer.
        """
        if not self._with_keys:
            # Nobody asked for anything: what comes from there can only be the end.
            raise KeystoreError(
                "the process that holds the keys has ended", code="keystore.process-failed"
            )
        done = self._with_keys.popleft()
        try:
            done.order.answer = done.work.finish(self._keys.collect())
        except PkiError as error:
            done.order.answer = error
            if error.code == "keystore.process-failed":
                raise
        self._feed()
        return done.order

    def _feed(self) -> None:
        while self._recorded and len(self._with_keys) < MAX_JOBS_WITH_KEYS:
            job = self._recorded.popleft()
            self._with_keys.append(job)
            if isinstance(job.work, PreparedWrapping):
                self._keys.submit_derivations(job.work.derivations)
            else:
                self._keys.submit(job.work.signer_id, job.work.batch.messages)

    def _prepare(
        self, order: Order, tally: SigningTally, wrapping_tally: WrappingTally
    ) -> _Recorded:
        request = order.request
        if isinstance(request, WrapRequest):
            work = prepare_wrapping(
                request.wrapping,
                self._recorder,
                tally=wrapping_tally,
                random_bytes=self._random_bytes,
            )
            return _Recorded(order=order, work=work)
        record = self._recorder.state.authorisations.batches.get(request.batch)
        if record is None:
            raise PkiRefusedError(
                f"no authorisation for batch {request.batch.hex()} was accepted",
                code="authorisation.unknown",
                hint="present the authorisation first",
            )
        signer = self._signer(record.signer_id)
        batch = signer.prepare(request.cards, tally=tally, batch=record.batch)
        return _Recorded(order=order, work=_Signing(signer_id=record.signer_id, batch=batch))

    def _signer(self, signer_id: str) -> InProcessDocumentSigner:
        signer = self._signers.get(signer_id)
        if signer is None:
            raise PkiRefusedError(
                f"this process signs for {sorted(self._signers)}, got {signer_id!r}",
                code="signer.unknown",
                hint="membercard-pki signer list",
            )
        return signer
