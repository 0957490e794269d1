"""What is fuzzed: everything that reads bytes from a card, a list, a bundle or a file, and what it may raise."""

import io
import json
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from card_layout import tlv
from card_layout.atr import read_life_cycle
from card_layout.errors import CardError
from card_layout.files.image_header import read_image_header
from card_layout.files.registry import FILE_TYPES, decode_file
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.secure_messaging import SecureMessagingSession
from card_layout.mrz import MachineReadableZone
from card_layout.protocols.file_reading import MAX_FILE_BYTES
from issuer.audit_files import read_trail
from issuer.domain.audit_check import AuditCheck
from issuer.errors import IssuerError
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.request import read_request
from pki.certificates.certificate import load_certificate, load_certificate_list
from pki.certificates.import_policy import ImportPolicy
from pki.certificates.lint.linter import lint
from pki.errors import PkiError
from pki.record.journal import JournalEntry
from pki.record.transparency_note import Checkpoint
from pki.record.transparency_policy import LogPolicy
from pki.record.transparency_proof import GrowthProof, InclusionProof, is_growth_proof
from pki.signed.authorisation import BatchAuthorisation
from pki.signed.card_security import CardSecurityObject
from pki.signed.card_states_file import read_states_file
from pki.signed.chip_keys import SealedChipKeys
from pki.signed.master_list import MasterList
from pki.signed.security_object import SecurityObject
from pki.signed.status_list import StatusList
from pki.signed.status_list_delta import StatusListDelta
from pki.signed.stop_list import StopList
from pki.signed.trust_bundle import TrustBundle, read_bundle_draft
from pki.signed.trust_bundle_delta import TrustBundleDelta
from tests.fuzz.target import BASES, Target
from tests.fuzz.targets_of_registers import REGISTER_TARGETS
from tests.fuzz.targets_of_terminals import TERMINAL_TARGETS
from verifier.errors import VerifierError
from verifier.inspection.policy import Policy
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.portrait_process import decode_picture
from verifier.reading.transcript_file import Transcript
from verifier.services.card_pseudonym import PseudonymKey, rekeyed
from verifier.services.inspect_batch import parse_batch
from verifier.services.journal_chain import StoredInspection
from verifier.services.journal_page import JournalPage, stored_record
from verifier.services.request_signing import SignedRequest
from verifier.trust.approvals import Approval
from verifier.trust.bundle_index import BundleIndex
from verifier.trust.installed import InstalledBundle
from verifier.trust.refused_cards import RefusedCard
from verifier.trust.signed_evidence import terminal_that_signed

__all__ = ["MAX_BYTES", "TARGETS"]

MAX_BYTES: Final = 64 * 1024
_KEY: Final = bytes(range(16))
_NAMES: Final = tuple(FILE_TYPES)


def _read_data_objects(data: bytes) -> None:
    parts = tlv.parse_all(data)
    if b"".join(tlv.encode(part.tag, part.value) for part in parts) != data:
        raise AssertionError("what was read is not written back alike")


def _read_card_file(data: bytes) -> None:
    """The first byte says which file the others are."""
    name = _NAMES[data[0] % len(_NAMES)] if data else _NAMES[0]
    content = data[1 : 1 + MAX_FILE_BYTES]
    if decode_file(name, content).to_bytes() != content:
        raise AssertionError(f"{name} is not written back alike")


def _read_answer(data: bytes) -> None:
    """An answer in a session, whose keys the card cannot know here: it must be refused, whatever it is."""
    session = SecureMessagingSession(_KEY, _KEY)
    session.wrap(CommandApdu(cla=0, ins=0xB0, p1=0, p2=0, expected_length=256))
    session.unwrap(ResponseApdu.from_bytes(data))
    raise AssertionError("an answer without the session's keys was accepted")


def _read_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def _read_mrz(data: bytes) -> None:
    text = data.decode("latin-1")
    if MachineReadableZone.from_text(text).to_text() != text:
        raise AssertionError("a machine-readable zone is not written back alike")


def _read_snapshot(data: bytes) -> None:
    snapshot = CardSnapshot.from_json(data.decode("utf-8", "surrogateescape"))
    if CardSnapshot.from_json(snapshot.to_json()) != snapshot:
        raise AssertionError("a snapshot is not written back alike")


@cache
def _base_list() -> StatusList:
    return StatusList.from_bytes((BASES / "status-list").read_bytes())


@cache
def _base_bundle() -> TrustBundle:
    return TrustBundle.from_bytes((BASES / "trust-bundle").read_bytes())


def _apply_list_delta(data: bytes) -> None:
    StatusListDelta.from_bytes(data).apply(_base_list())


def _apply_bundle_delta(data: bytes) -> None:
    TrustBundleDelta.from_bytes(data).apply(_base_bundle())


def _read_proof(data: bytes) -> None:
    """A proof and what stands in it, as if its checkpoint were believed."""
    if is_growth_proof(data):
        Checkpoint.from_text(GrowthProof.from_bytes(data).note.text)
        return
    proof = InclusionProof.from_bytes(data)
    proof.verify_under(Checkpoint.from_text(proof.note.text))


def _read_trail(data: bytes) -> None:
    head, records = read_trail(io.BytesIO(data))
    check = AuditCheck(head)
    for record in records:
        check.take(record)
    check.conclude()


def _decode_picture(data: bytes) -> None:
    """What the decoder's child process does; there any error ends it, and here only its crash or hours count."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode_picture(data)


def _read_pointer(data: bytes) -> None:
    InstalledBundle.from_bytes(data, name="bundle.json")


def _read_page(data: bytes) -> None:
    """A page of a journal, each record of it, and its pseudonyms moved to another key."""
    page = JournalPage.from_bytes(data)
    if JournalPage.from_bytes(page.to_bytes()) != page:
        raise AssertionError("a page is not written back alike")
    key = PseudonymKey.from_secret(_KEY).after(page.release)
    for line in page.lines():
        record = stored_record(line)
        if isinstance(record, StoredInspection) and record.card is not None:
            rekeyed(record.card, key)


def _read_signed_headers(data: bytes) -> None:
    """The headers of a request, as a JSON object of texts."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
        SignedRequest.read(found, method="GET", target="https://centre.example/v1/health", body=b"")


def _read_refused_card(data: bytes) -> None:
    """What came out of a seal, and its signature, which leads to nobody here."""
    terminal_that_signed(RefusedCard.from_bytes(data), ())


_CARD: Final = (CardError,)
_PKI: Final = (PkiError,)
_VERIFIER: Final = (VerifierError,)

TARGETS: Final[Mapping[str, Target]] = {
    # From cards.
    "tlv": Target(read=_read_data_objects, refusals=_CARD),
    "card-file": Target(read=_read_card_file, refusals=_CARD),
    "security-object": Target(read=SecurityObject.from_bytes, refusals=_PKI),
    "card-security": Target(read=CardSecurityObject.from_bytes, refusals=_PKI),
    "secure-messaging": Target(read=_read_answer, refusals=_CARD),
    "image-header": Target(read=read_image_header, refusals=_CARD),
    "portrait": Target(read=_decode_picture, refusals=(Exception,)),
    "answer-to-reset": Target(read=read_life_cycle, refusals=_CARD),
    "machine-readable-zone": Target(read=_read_mrz, refusals=_CARD),
    # From authorities, known and unknown.
    "certificate": Target(read=load_certificate, refusals=_PKI),
    "certificate-list": Target(read=load_certificate_list, refusals=_PKI),
    "lint": Target(read=lint, refusals=()),
    "card-verifiable": Target(read=CvCertificate.from_bytes, refusals=(*_PKI, *_CARD)),
    "terminal-request": Target(read=read_request, refusals=(*_PKI, *_CARD)),
    "master-list": Target(read=MasterList.read_unproven, refusals=_PKI),
    "stop-list": Target(read=StopList.read_unproven, refusals=_PKI),
    "status-list": Target(read=StatusList.read_unproven, refusals=_PKI),
    "status-list-delta": Target(read=_apply_list_delta, refusals=_PKI),
    "card-states": Target(read=read_states_file, refusals=_PKI),
    "trust-bundle": Target(read=TrustBundle.read_unproven, refusals=_PKI),
    "trust-bundle-delta": Target(read=_apply_bundle_delta, refusals=_PKI),
    "trust-bundle-draft": Target(read=read_bundle_draft, refusals=_PKI),
    "batch-authorisation": Target(read=BatchAuthorisation.from_bytes, refusals=_PKI),
    "sealed-chip-keys": Target(read=SealedChipKeys.from_bytes, refusals=_PKI),
    # From files that other machines and people write.
    "journal-entry": Target(read=JournalEntry.from_bytes, refusals=_PKI),
    "log-proof": Target(read=_read_proof, refusals=_PKI),
    "log-policy": Target(read=LogPolicy.from_bytes, refusals=_PKI),
    "import-policy": Target(read=ImportPolicy.from_bytes, refusals=_PKI),
    "trust-policy": Target(read=Policy.from_bytes, refusals=_VERIFIER),
    "bundle-pointer": Target(read=_read_pointer, refusals=_VERIFIER),
    "bundle-approval": Target(read=Approval.from_bytes, refusals=_VERIFIER),
    # From other ends of a network.
    "bundle-index": Target(read=BundleIndex.from_bytes, refusals=_VERIFIER),
    "journal-page": Target(read=_read_page, refusals=_VERIFIER),
    "request-signature": Target(read=_read_signed_headers, refusals=_VERIFIER),
    "refused-card": Target(read=_read_refused_card, refusals=_VERIFIER),
    "card-batch": Target(read=parse_batch, refusals=_VERIFIER),
    "audit-trail": Target(read=_read_trail, refusals=(IssuerError,)),
    "snapshot": Target(read=_read_snapshot, refusals=_VERIFIER),
    "transcript": Target(read=_read_text(Transcript.from_text), refusals=_VERIFIER),
    **REGISTER_TARGETS,
    **TERMINAL_TARGETS,
}
"""Every target by its name; each has a folder of that name in ``corpus``."""
