"""Replaying a transcript as a witness does: chain, script, people, sheets, certificates, signature."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from pki.ceremony.script import CeremonyKind
from pki.ceremony.transcript import Progress, damaged, read_transcript
from pki.certificates.authority_certificate import Authority
from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.profile import ProfileKind
from pki.certificates.profile_checks import is_issued_by
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm
from pki.record.journal import JournalEntry

__all__ = ["TranscriptReport", "signed_message", "verify_transcript"]

_DOMAIN: Final = b"membercard ceremony transcript, version 1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptReport:
    """What a transcript proves; ``digest`` is what the witnesses wrote down."""

    ceremony: str
    kind: CeremonyKind
    is_rehearsal: bool
    steps: int
    lines: int
    digest: bytes
    authority: str
    fingerprint: bytes
    is_anchored: bool
    custodians: tuple[str, ...]
    threshold: int
    signer: str


def signed_message(digest: bytes) -> bytes:
    """What the journal signer signs: the digest under a name of its own, so that it can be nothing else."""
    return _DOMAIN + digest


def verify_transcript(
    path: Path, *, certificate: bytes | None, digest: str | None = None
) -> TranscriptReport:
    """Replay a whole transcript, against a root certificate and a digest from elsewhere where they are given.

    Raises:
        RecordError: ``record.damaged``, ``record.unreadable``, ``ceremony.transcript-damaged``, ``ceremony.out-of-order``.
        PkiRefusedError: ``ceremony.unfinished``, ``ceremony.root-differs``, ``ceremony.digest-differs``,
            ``ceremony.quorum-differs``, ``ceremony.signature-wrong``.
    """
    progress, head = read_transcript(path)
    opening, closed, signed = progress.opening, progress.closed, progress.signed
    if progress.abandoned is not None:
        raise PkiRefusedError(
            f"the ceremony was abandoned: {progress.abandoned.text('reason')}",
            code="ceremony.abandoned",
        )
    if opening is None or closed is None or signed is None:
        step = progress.next_step
        raise PkiRefusedError(
            f"the ceremony is not finished: {'it is not signed' if step is None else f'step {step.identifier} is not done'}",
            code="ceremony.unfinished",
        )
    if digest is not None and "".join(digest.split()).lower() != closed.hash.hex():
        raise PkiRefusedError(
            "the transcript's digest is not the one that was written down",
            code="ceremony.digest-differs",
        )
    _check_sheets(progress)
    authority = _check_root(progress, certificate)
    _check_signature(signed, closed, authority)
    return TranscriptReport(
        ceremony=opening.ceremony,
        kind=opening.kind,
        is_rehearsal=opening.is_rehearsal,
        steps=len(progress.script),
        lines=head.sequence,
        digest=closed.hash,
        authority=authority.name,
        fingerprint=sha256(authority.der).digest(),
        is_anchored=certificate is not None,
        custodians=opening.custodians,
        threshold=opening.threshold,
        signer=signed.text("signer"),
    )


def _check_sheets(progress: Progress) -> None:
    """The set of sheets, who got which, and how many activated the root."""
    opening, results = progress.opening, progress.results
    if opening is None:
        raise damaged("it is empty")
    if opening.has_sheets:
        shares = results["shares"]
        stated = (shares.number("threshold"), shares.number("count"))
        if stated != (opening.threshold, len(opening.custodians)):
            raise _quorum(f"sheets are {stated[0]} of {stated[1]}")
        for number, name in enumerate(opening.custodians, start=1):
            entry = results[f"sheet-{number}"]
            if entry.number("sheet") != number or entry.text("custodian") != name:
                raise _quorum(f"sheet {number} did not go to its custodian")
        tried = results["activation" if opening.kind is CeremonyKind.ROOT else "new-activation"]
        if tried.number("identifier") != shares.number("identifier"):
            raise _quorum("another set of sheets was tried")
        _check_numbers(tried, at_least=opening.threshold, at_most=len(opening.custodians))
        made = results["root-keystore" if opening.kind is CeremonyKind.ROOT else "pin-change"]
        if made.number("identifier") != shares.number("identifier"):
            raise _quorum("another set of sheets opens the root")
    _check_numbers(results["activation"], at_least=2, at_most=16)


def _check_numbers(entry: JournalEntry, *, at_least: int, at_most: int) -> None:
    numbers = entry.text("sheets").split(",")
    if len(set(numbers)) != len(numbers) or len(numbers) < at_least:
        raise _quorum(f"{len(set(numbers))} sheets were typed, expected {at_least}")
    if not all(item.isascii() and item.isdigit() and 1 <= int(item) <= at_most for item in numbers):
        raise _quorum("a sheet was typed that is none")


def _check_root(progress: Progress, certificate: bytes | None) -> Authority:
    """The root's certificate is the same in every step, and the one that is known from elsewhere."""
    results = progress.results
    der = _octets(results["close"], "authority")
    try:
        authority = Authority.from_bytes(der)
    except PkiDataError as error:
        raise PkiRefusedError(
            f"the root's certificate is none: {error}", code="ceremony.root-differs"
        ) from error
    for step in ("root-key", "rollover"):
        if step in results and _octets(results[step], "certificate") != der:
            raise _root(f"step {step} made another root certificate than the closing names")
    groups = sha256(der).hexdigest()
    if "compare" in results and results["compare"].text("sha256").replace(" ", "") != groups:
        raise _root("the fingerprint that was compared is not that of the root's certificate")
    opening = progress.opening
    if opening is not None and opening.is_rehearsal and not authority.is_test:
        raise _root("a rehearsal made a root that is not marked as a test")
    if certificate is not None and certificate != der:
        raise _root("the root's certificate is not the one given")
    return authority


def _check_signature(signed: JournalEntry, closed: JournalEntry, authority: Authority) -> None:
    der = _octets(signed, "certificate")
    try:
        signer = ListSignerCertificate.from_bytes(der, kind=ProfileKind.JOURNAL_SIGNER)
    except PkiDataError as error:
        raise _signature(f"its certificate is no journal signer's: {error}") from error
    if not is_issued_by(der, authority.der):
        raise _signature("its certificate was not issued by the root")
    if not signer.key_use_not_before <= signed.time <= signer.key_use_not_after:
        raise _signature("its key might not sign at that time")
    key = signer.certificate.public_key
    if signed.text("digest") != closed.hash.hex() or not SignatureAlgorithm.for_key(key).verifies(
        key, signature=_octets(signed, "signature"), message=signed_message(closed.hash)
    ):
        raise _signature("it does not verify")


def _octets(entry: JournalEntry, name: str) -> bytes:
    try:
        return bytes.fromhex(entry.text(name))
    except ValueError as error:
        raise damaged(f"field {name} of line {entry.sequence} is not hexadecimal") from error


def _quorum(reason: str) -> PkiRefusedError:
    return PkiRefusedError(
        f"the transcript's quorum contradicts itself: {reason}", code="ceremony.quorum-differs"
    )


def _root(reason: str) -> PkiRefusedError:
    return PkiRefusedError(
        f"the transcript is of another root: {reason}", code="ceremony.root-differs"
    )


def _signature(reason: str) -> PkiRefusedError:
    return PkiRefusedError(
        f"the transcript's signature is wrong: {reason}", code="ceremony.signature-wrong"
    )
