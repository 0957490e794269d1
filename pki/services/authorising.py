"""Judging batch authorisations: two different operators, enrolled and not revoked, for a signer, for a time."""

from datetime import datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from pki.certificates.operator_certificates import check_operator_certificate
from pki.errors import PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm, elliptic_curve_key
from pki.services.assertion_judging import judge_assertion
from pki.services.authorisation_state import AuthorisationState, BatchRecord
from pki.services.credential_state import write_uses
from pki.services.recorder import Recorder
from pki.services.state import EntryKind, SignerRecord
from pki.signed.authorisation import (
    BatchAuthorisation,
    OperatorAssertion,
    OperatorSignature,
)

__all__ = [
    "MAX_AUTHORISED_TIME",
    "REQUIRED_OPERATORS",
    "accept_authorisation",
    "check_batch",
    "check_not_retired",
    "operators_behind",
    "require_batch",
]

REQUIRED_OPERATORS: Final = 2
MAX_AUTHORISED_TIME: Final = timedelta(days=93)
"""No document signer's key signs for longer than three months."""


def accept_authorisation(authorisation: BatchAuthorisation, recorder: Recorder) -> BatchRecord:
    """Judge an authorisation and record it; one that was accepted before stays as it is.

    Raises:
        PkiRefusedError: ``authorisation.expired``, ``authorisation.too-long``, ``authorisation.batch-used``,
            ``authorisation.same-operator``, ``authorisation.signatures-missing``, ``authorisation.signature-wrong``,
            ``operator.unknown``, ``operator.revoked``, ``operator.expired``, ``operator.certificate-invalid``,
            ``signer.unknown``, ``signer.retired``; for assertions those of ``judge_assertion``.
        RecordError: it is not recorded.
    """
    state = recorder.state
    now = recorder.now()
    known = state.authorisations.batches.get(authorisation.batch)
    if known is not None and known.digest != authorisation.digest:
        raise PkiRefusedError(
            f"batch {authorisation.batch.hex()} was authorised on other terms already",
            code="authorisation.batch-used",
        )
    if authorisation.signer_id not in state.signers:
        raise PkiRefusedError(
            f"there is no signer {authorisation.signer_id!r}, only {sorted(state.signers)}",
            code="signer.unknown",
        )
    check_not_retired(state.signers[authorisation.signer_id])
    _check_time(authorisation.until, now)
    if authorisation.until - now > MAX_AUTHORISED_TIME:
        raise PkiRefusedError(
            f"the authorisation holds until {authorisation.until:%Y-%m-%d %H:%M:%S}Z, "
            f"expected at most {MAX_AUTHORISED_TIME.days} days from now",
            code="authorisation.too-long",
        )
    judged = _judge_signatures(authorisation, state.authorisations, now=now)
    names = tuple(judged)
    if len(names) < REQUIRED_OPERATORS:
        raise PkiRefusedError(
            f"the authorisation is signed by {len(names)} operators, expected {REQUIRED_OPERATORS}",
            code="authorisation.signatures-missing",
            hint="membercard-pki authorisation sign FILE --operator NAME",
        )
    if known is not None:
        return known
    uses = [use for use in judged.values() if use is not None]
    recorder.record(
        EntryKind.AUTHORISATION_ACCEPTED,
        batch=authorisation.batch.hex(),
        digest=authorisation.digest.hex(),
        signer=authorisation.signer_id,
        cards=authorisation.cards,
        until=authorisation.until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        operators=",".join(names),
        **({"chips": authorisation.chips} if authorisation.chips else {}),
        **({"assertions": write_uses(uses)} if uses else {}),
    )
    return state.authorisations.batches[authorisation.batch]


def operators_behind(
    authorisation: BatchAuthorisation, state: AuthorisationState, *, now: datetime
) -> tuple[str, ...]:
    """The names of those who signed, each known to be an operator now, in the order of signing.

    Raises:
        PkiRefusedError: a signature that does not hold makes the whole authorisation void.
    """
    return tuple(_judge_signatures(authorisation, state, now=now))


def _judge_signatures(
    authorisation: BatchAuthorisation, state: AuthorisationState, *, now: datetime
) -> dict[str, tuple[bytes, int] | None]:
    """Who signed, and for an assertion by which credential with which counter.

    A person counts once, with the key of the certificate or with any of the person's credentials.
    """
    judged: dict[str, tuple[bytes, int] | None] = {}
    known = state.batches.get(authorisation.batch)
    for signature in authorisation.signatures:
        name = _operator_of(signature, state)
        if name in judged:
            raise PkiRefusedError(
                f"operator {name} has signed twice, expected different operators",
                code="authorisation.same-operator",
            )
        certificate = check_operator_certificate(signature.certificate, roots=state.roots, now=now)
        if isinstance(signature, OperatorSignature):
            _verify(
                elliptic_curve_key(certificate.public_key),
                authorisation.to_be_signed,
                signature.signature,
                name,
            )
            judged[name] = None
            continue
        counter = judge_assertion(
            signature,
            operator=name,
            digest=authorisation.digest,
            credentials=state.credentials,
            accepted_counter=(
                known.assertions.get(signature.credential_id)
                if known is not None and known.digest == authorisation.digest
                else None
            ),
        )
        judged[name] = (signature.credential_id, counter)
    return judged


def check_batch(
    state: AuthorisationState, batch: bytes, *, signer_id: str, count: int, now: datetime
) -> None:
    """Whether so many more cards may be signed against a batch.

    Args:
        state: what was accepted so far.
        batch: which batch, 16 bytes.
        signer_id: the document signer that is asked.
        count: how many more, with what is under way but not recorded yet.
        now: the time.

    Raises:
        PkiRefusedError: ``authorisation.unknown``, ``authorisation.other-signer``, ``authorisation.expired``,
            ``authorisation.overdrawn``, ``operator.revoked``.
    """
    record = require_batch(state, batch, now=now)
    if record.signer_id != signer_id:
        raise PkiRefusedError(
            f"the authorisation is for signer {record.signer_id}, got {signer_id}",
            code="authorisation.other-signer",
        )
    if record.signed + count > record.cards:
        raise PkiRefusedError(
            f"{record.signed} of {record.cards} authorised cards are signed, got {count} more",
            code="authorisation.overdrawn",
            hint="have another authorisation signed",
        )


def require_batch(state: AuthorisationState, batch: bytes, *, now: datetime) -> BatchRecord:
    """An accepted authorisation that still holds: in time, and none of its operators revoked.

    Raises:
        PkiRefusedError: ``authorisation.unknown``, ``authorisation.expired``, ``authorisation.before-restore``,
            ``operator.revoked``.
    """
    record = state.batches.get(batch)
    if record is None:
        raise PkiRefusedError(
            f"no authorisation for batch {batch.hex()} was accepted",
            code="authorisation.unknown",
            hint="present the authorisation first",
        )
    _check_time(record.until, now)
    if record.is_closed:
        raise PkiRefusedError(
            f"how much of batch {batch.hex()} was used before the home was restored is unknown",
            code="authorisation.before-restore",
            hint="have another authorisation signed",
        )
    for name in record.operators:
        if state.operators[name].revoked_at is not None:
            raise _revoked(name)
    return record


def check_not_retired(record: SignerRecord) -> None:
    """Whether it is known how much a signer has signed.

    Raises:
        PkiRefusedError: ``signer.retired``.
    """
    if record.retired_at is not None:
        raise PkiRefusedError(
            f"how much signer {record.signer_id} signed before the home was restored at "
            f"{record.retired_at:%Y-%m-%d %H:%M:%S}Z is unknown: it signs no card any more",
            code="signer.retired",
            hint="create the next signer: membercard-pki signer create",
        )


def _operator_of(
    signature: OperatorSignature | OperatorAssertion, state: AuthorisationState
) -> str:
    for record in state.operators.values():
        if record.certificate == signature.certificate:
            if record.revoked_at is not None:
                raise _revoked(record.name)
            return record.name
    raise PkiRefusedError(
        "the authorisation is signed by somebody who is not enrolled as an operator",
        code="operator.unknown",
    )


def _verify(
    public_key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes, name: str
) -> None:
    algorithm = SignatureAlgorithm.for_curve(public_key.curve)
    try:
        public_key.verify(signature, message, ec.ECDSA(algorithm.hash_algorithm.to_cryptography()))
    except InvalidSignature as error:
        raise PkiRefusedError(
            f"the signature of operator {name} does not hold over these terms",
            code="authorisation.signature-wrong",
        ) from error


def _check_time(until: datetime, now: datetime) -> None:
    if now > until:
        raise PkiRefusedError(
            f"the authorisation ended at {until:%Y-%m-%d %H:%M:%S}Z, got {now:%Y-%m-%d %H:%M:%S}Z",
            code="authorisation.expired",
        )


def _revoked(name: str) -> PkiRefusedError:
    return PkiRefusedError(f"operator {name} is revoked", code="operator.revoked")
