"""Seeds that other machines and people write: journals, proofs, policies, approvals, lists of cards."""

import io
from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from issuer.audit_files import write_trail
from issuer.domain.account import AccountName
from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_chain import first_head, link
from pki.keys.software import SoftwareSigner
from pki.record.journal import JournalHead, Record, _chain
from pki.record.transparency_cosignature import WitnessKey
from pki.record.transparency_note import Checkpoint, NoteKey, SignedNote, sign_note
from pki.record.transparency_policy import LogPolicy
from pki.record.transparency_proof import GrowthProof, InclusionProof
from pki.record.transparency_tree import hash_leaf
from simulators.trust_directory import TEST_POLICY
from verifier.trust.approvals import Approval, create_approver_key, statement
from verifier.trust.installed import InstalledBundle

_LOG = "pki.example/log"

_IMPORT_POLICY = """\
format = 1
name = "trial"
country = "VN"
max_age_days = 30
require_crl = false

[[rules]]
country = "VN"
purposes = ["travel-documents"]
states = ["VNM"]
document_codes = ["P"]
"""


def seeds_of_files(*, now: datetime) -> Iterator[tuple[str, bytes]]:
    """Target and bytes."""
    entry, _line = _chain(
        JournalHead(sequence=0, hash=bytes(32)),
        Record(kind="signer.issued", time=now, fields={"signer": "ds-1", "log_index": 0}),
    )
    yield "journal-entry", entry.to_bytes()
    key = ec.generate_private_key(ec.SECP256R1())
    signer = SoftwareSigner(key)
    text = Checkpoint(origin=_LOG, size=1, root=hash_leaf(entry.hash)).to_text()
    note = SignedNote(text=text, signatures=(sign_note(text, name=_LOG, signer=signer),))
    proof = InclusionProof(record=entry.to_bytes(), index=0, hashes=(), note=note)
    yield "log-proof", proof.to_bytes()
    yield "log-proof", GrowthProof(old_size=1, hashes=(), note=note).to_bytes()
    policy = LogPolicy.of_threshold(
        log=NoteKey.from_public_key(_LOG, key.public_key()),
        witnesses=[
            WitnessKey(name=f"witness.example/{number}", public_key=bytes([number]) * 32)
            for number in (1, 2)
        ],
        threshold=1,
    )
    yield "log-policy", policy.to_bytes()
    yield "import-policy", _IMPORT_POLICY.encode()
    yield "trust-policy", TEST_POLICY.encode()
    pointer = InstalledBundle(
        number=7, sha256="ab" * 32, this_update=now, next_update=now + timedelta(days=7)
    )
    yield "bundle-pointer", pointer.to_bytes()
    key_file, _public = create_approver_key("1234")
    approval = Approval.make(
        name="Nguyễn Văn A", key_file=key_file, pin="1234", stated=statement("ab" * 32, ["a"])
    )
    yield "bundle-approval", approval.to_bytes()
    yield "card-batch", b"label,can\na-1,123456\nb-2,654321\n"
    yield "audit-trail", _trail(now)


def _trail(now: datetime) -> bytes:
    head = first_head(bytes(16))
    records = []
    for number in (1, 2):
        record = AuditRecord(
            at=now,
            account=AccountName("chi"),
            action="request.endorsed",
            subject=AuditSubject.REQUEST,
            subject_id=f"r-{number}",
            details={"cards": number},
        )
        chained, head = link(head, record)
        records.append(chained)
    output = io.StringIO()
    write_trail(output, head, records)
    return output.getvalue().encode()
