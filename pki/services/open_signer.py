"""Opening a document signer from an authority's home, for an issuer that signs in its own process."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

from pki.certificates.profile import ProfileKind
from pki.certificates.trust import DocumentSignerCertificate
from pki.errors import PkiRefusedError
from pki.home import Home
from pki.keys.open import open_keystore
from pki.services.document_signer import InProcessDocumentSigner, SigningLimits
from pki.services.open_record import open_record
from pki.services.recorder import Recorder
from pki.services.state import PkiState, SignerRecord

__all__ = ["open_document_signer"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


def open_document_signer(
    home: Path,
    pin_file: Path | None = None,
    signer_id: str | None = None,
    *,
    limits: SigningLimits | None = None,
    now: Callable[[], datetime] = _utc_now,
) -> InProcessDocumentSigner:
    """A document signer that owns the home's journal until it is closed; it is a context manager, too.

    Args:
        home: the authority's home directory.
        pin_file: where the keystore's PIN is; ``None`` takes the file that the home remembers.
        signer_id: which signer; ``None`` takes the newest whose key may sign now.
        limits: how much it may sign; ``None`` for the defaults.
        now: the clock.

    Raises:
        RecordError: ``home.missing``, ``record.locked``, ``record.damaged``.
        KeystoreError: the PIN or the keystore is wrong.
        PkiRefusedError: ``signer.unknown``, ``signer.unfinished``, ``signer.destroyed``.
    """
    place = Home(home)
    pin = place.read_pin(pin_file)
    stack = ExitStack()
    try:
        journal = stack.enter_context(open_record(place))
        state = journal.state
        record = _choose(state, signer_id, now())
        keystore = stack.enter_context(closing(open_keystore(place.keystore, pin=pin)))
        return InProcessDocumentSigner(
            record=record,
            signer=keystore.signer(record.signer_id),
            recorder=Recorder(journal=journal, state=state, now=now),
            limits=limits,
            on_close=stack.close,
        )
    except BaseException:
        stack.close()
        raise


def _choose(state: PkiState, signer_id: str | None, moment: datetime) -> SignerRecord:
    if signer_id is not None:
        record = state.signers.get(signer_id)
        if record is None:
            raise PkiRefusedError(
                f"there is no signer {signer_id[:80]!r}, only {sorted(state.signers)}",
                code="signer.unknown",
            )
        if record.kind is not ProfileKind.DOCUMENT_SIGNER:
            raise PkiRefusedError(
                f"{signer_id} is a {record.kind.value}, expected a document signer",
                code="signer.unknown",
            )
        if record.destroyed_at is not None:
            raise PkiRefusedError(
                f"the key of signer {signer_id} was destroyed at {record.destroyed_at:%Y-%m-%d %H:%M:%S}Z",
                code="signer.destroyed",
            )
        return record
    usable = [
        (certificate.key_use_not_before, record)
        for record in state.signers.values()
        if record.kind is ProfileKind.DOCUMENT_SIGNER
        and record.certificate is not None
        and record.revoked_at is None
        and record.destroyed_at is None
        and record.retired_at is None
        for certificate in (DocumentSignerCertificate.from_bytes(record.certificate),)
        if certificate.key_use_not_before <= moment <= certificate.key_use_not_after
    ]
    if not usable:
        raise PkiRefusedError(
            "no document signer may sign now",
            code="signer.unknown",
            hint="membercard-pki signer create --id ds-1",
        )
    return max(usable, key=lambda item: item[0])[1]
