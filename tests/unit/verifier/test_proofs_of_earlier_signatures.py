"""SPEC.md, 9.25 and 9.26: when a card of a stopped signer passes, and everything that keeps it from passing."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pki.certificates.certificate import load_certificate
from pki.certificates.crl import issue_crl
from pki.certificates.issue import issue_signer_certificate
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import load_certificate_profile
from pki.certificates.trust import TrustAnchors
from pki.errors import PkiError
from pki.keys.software import SoftwareSigner
from pki.record.transparency_cosignature import WitnessKey, cosign
from pki.record.transparency_evidence import SIGNED_OBJECT_KIND, known_since
from pki.record.transparency_note import Checkpoint, NoteKey, SignedNote, sign_note
from pki.record.transparency_policy import LogPolicy
from pki.record.transparency_proof import InclusionProof
from pki.record.transparency_tree import MemoryLevels, hash_leaf, inclusion_proof, tree_root
from pki.services.state import EntryKind
from pki.signed.stop_list import prepare_stop_list
from simulators.authority import SignerKind, TestAuthority
from verifier.errors import TrustError
from verifier.inspection.codes import CODES, Severity
from verifier.inspection.log_evidence import LogEvidence, digest_of_signature
from verifier.inspection.policy import Policy
from verifier.inspection.report import Assurance, Report, Verdict, inspect
from verifier.inspection.snapshot import CardSnapshot
from verifier.trust.directory import load_trust
from verifier.trust.proofs import proof_in_file, proofs_in

NAME = "log.example/main"
LOG = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
LOG_KEY = NoteKey.from_public_key(NAME, LOG.public_key)
PRIVATE = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 5)]
WITNESSES = [
    WitnessKey(name=f"w{n}.example", public_key=each.public_key().public_bytes_raw())
    for n, each in enumerate(PRIVATE)
]
POLICY = LogPolicy.of_threshold(log=LOG_KEY, witnesses=WITNESSES[:3], threshold=2)
HOUR = timedelta(hours=1)
NOTE = "signer.signed-before-compromise"
SECOND = timedelta(seconds=1)


def record_of(digest: str | int | None, *, index: int, kind: str = SIGNED_OBJECT_KIND) -> bytes:
    """A journal entry, written down anew from docs/pki.md: canonical JSON with the hash over everything else in it."""
    content: dict[str, Any] = {
        "sequence": index + 3,
        "time": "2026-01-15T08:00:00.000000Z",
        "kind": kind,
        "fields": {
            "signer": "ds-1", "reference": "5f" * 16, "digest": digest, "re_signing_of": None,
            "signing_time": "2026-01-15T08:00:00Z", "log_index": index, "log_salt": "a5" * 16,
            "log_group": index,
        },
        "previous": "00" * 32,
    }  # fmt: skip
    content["hash"] = hashlib.sha256(canonical(content)).hexdigest()
    return canonical(content)


def canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def note_over(
    levels: MemoryLevels,
    cosigned: Sequence[tuple[int, datetime]],
    *,
    origin: str = NAME,
    signer: SoftwareSigner = LOG,
) -> SignedNote:
    text = Checkpoint(
        origin=origin, size=levels.size, root=tree_root(levels, levels.size)
    ).to_text()
    lines = [
        cosign(text, key=WITNESSES[place], at=moment, sign=PRIVATE[place].sign)
        for place, moment in cosigned
    ]
    return SignedNote(text=text, signatures=(sign_note(text, name=origin, signer=signer), *lines))


def prove(
    digest: str | int | None,
    cosigned: Sequence[tuple[int, datetime]],
    *,
    size: int = 11,
    index: int = 6,
    kind: str = SIGNED_OBJECT_KIND,
    **note: Any,
) -> InclusionProof:
    record = record_of(digest, index=index, kind=kind)
    entries = [b"leaf %d" % place for place in range(size)]
    entries[index] = bytes.fromhex(json.loads(record)["hash"])
    levels = MemoryLevels(b"".join(map(hash_leaf, entries)))
    return InclusionProof(
        record=record,
        index=index,
        hashes=inclusion_proof(levels, index, size),
        note=note_over(levels, cosigned, **note),
    )


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A stopped signer's card, and what is needed to bring evidence about it."""

    snapshot: CardSnapshot
    policy: Policy
    pki: TestAuthority
    now: datetime
    since: datetime

    @property
    def digest(self) -> str:
        found = digest_of_signature(self.snapshot)
        assert found is not None
        return found.hex()

    @property
    def serial_number(self) -> int:
        return load_certificate(self.pki.signers[SignerKind.CURRENT].certificate).serial_number

    def seen(self, *places: int, before: timedelta = HOUR) -> list[tuple[int, datetime]]:
        return [(place, self.since - before) for place in places]

    def stop_list(self, since: datetime | None, *, number: int = 7) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = issue_signer_certificate(
            authority_signer=self.pki.root.signer,
            authority_certificate=self.pki.root.certificate,
            public_key=key.public_key(),
            profile=load_certificate_profile("stop-list-signer"),
            name=DistinguishedName(country="VN", common_name="TEST stop"),
            serial_number=(1 << 100) + number,
            not_before=self.now - timedelta(days=2),
        )
        prepared = prepare_stop_list(
            signer_certificate=certificate,
            public_key=key.public_key(),
            number=number,
            this_update=self.now - timedelta(hours=2),
            next_update=self.now + timedelta(days=20),
            stopped={self.serial_number: self.now - timedelta(hours=2)},
            compromised_since=None if since is None else {self.serial_number: since},
        )
        return prepared.sign(SoftwareSigner(key))

    def crl(self, revoked_at: datetime | None) -> bytes:
        return issue_crl(
            signer=self.pki.root.signer,
            authority_certificate=self.pki.root.certificate,
            number=99,
            this_update=self.now,
            next_update=self.now + timedelta(days=80),
            revoked={} if revoked_at is None else {self.serial_number: revoked_at},
        )

    def anchors(self, *stop_lists: bytes, revoked_at: datetime | None = None) -> TrustAnchors:
        return TrustAnchors.from_bytes(
            certificates=(self.pki.root.certificate,),
            crls=(self.crl(revoked_at),),
            stop_lists=stop_lists,
        )

    def inspect(
        self,
        proof: InclusionProof | bytes | None,
        *,
        anchors: TrustAnchors | None = None,
        log_policy: LogPolicy | None = POLICY,
        now: datetime | None = None,
        allow: bool = True,
        snapshot: CardSnapshot | None = None,
    ) -> Report:
        return inspect(
            self.snapshot if snapshot is None else snapshot,
            trust=self.anchors(self.stop_list(self.since)) if anchors is None else anchors,
            policy=replace(self.policy, allow_signed_before_compromise=allow),
            now=self.now if now is None else now,
            log_evidence=LogEvidence(
                log_policy=log_policy,
                proof=proof.to_bytes() if isinstance(proof, InclusionProof) else proof,
            ),
        )


@pytest.fixture(scope="module")
def scene(
    accepted_snapshot: CardSnapshot, policy: Policy, test_pki: TestAuthority, now: datetime
) -> Scene:
    return Scene(
        snapshot=accepted_snapshot, policy=policy, pki=test_pki, now=now, since=now - 3 * HOUR
    )


@pytest.fixture(scope="module")
def right(scene: Scene) -> InclusionProof:
    return prove(scene.digest, scene.seen(0, 1))


def outcome(report: Report) -> tuple[str, ...]:
    assert (report.verdict is Verdict.ACCEPTED) == (not report.codes)
    return (*report.codes, *report.notes)


def test_a_card_that_witnesses_saw_before_passes_with_a_note(
    scene: Scene, right: InclusionProof
) -> None:
    report = scene.inspect(right)
    assert outcome(report) == (NOTE,)
    assert report.assurance is Assurance.DATA_AND_CHIP
    assert CODES[NOTE].severity is Severity.NOTE
    assert scene.inspect(right) == report


def test_neither_leave_nor_proof_is_enough_alone(scene: Scene, right: InclusionProof) -> None:
    assert outcome(scene.inspect(right, allow=False)) == ("signer.revoked",)
    assert outcome(scene.inspect(None)) == ("signer.revoked",)
    assert not Policy().allow_signed_before_compromise


def test_one_cards_proof_clears_its_signer_for_no_other_card(
    scene: Scene, right: InclusionProof
) -> None:
    # One terminal, one set of anchors, card after card.
    anchors = scene.anchors(scene.stop_list(scene.since), revoked_at=scene.now)
    for _ in range(2):
        assert outcome(scene.inspect(right, anchors=anchors)) == (NOTE,)
        assert outcome(scene.inspect(None, anchors=anchors)) == ("signer.revoked",)
        assert outcome(scene.inspect(right, anchors=anchors, allow=False)) == ("signer.revoked",)


def test_the_proof_of_a_signer_that_nobody_stopped_is_not_looked_at(scene: Scene) -> None:
    assert outcome(scene.inspect(b"no proof", anchors=scene.anchors())) == ()


def test_a_signer_of_whom_only_a_crl_or_an_unstated_time_speaks_stays_revoked(
    scene: Scene, right: InclusionProof
) -> None:
    unstated = scene.stop_list(None)
    for anchors in (
        scene.anchors(revoked_at=scene.now),
        scene.anchors(unstated),
        # Every list that names it must say since when.
        scene.anchors(scene.stop_list(scene.since, number=8), unstated),
    ):
        assert outcome(scene.inspect(right, anchors=anchors)) == ("signer.revoked",)


def test_the_earliest_of_all_stated_times_counts(scene: Scene, right: InclusionProof) -> None:
    stop = scene.stop_list(scene.since)
    earlier = scene.stop_list(scene.since - 2 * HOUR, number=6)
    late = ("inclusion-proof.too-late",)
    assert outcome(scene.inspect(right, anchors=scene.anchors(stop, earlier))) == late
    revoked = scene.anchors(stop, revoked_at=scene.since - 2 * HOUR)
    assert outcome(scene.inspect(right, anchors=revoked)) == late
    revoked = scene.anchors(stop, revoked_at=scene.now)
    assert outcome(scene.inspect(right, anchors=revoked)) == (NOTE,)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (SECOND, (NOTE,)),
        (0 * SECOND, ("inclusion-proof.too-late",)),
        (-HOUR, ("inclusion-proof.too-late",)),
    ],
)
def test_the_quorum_must_be_complete_before_the_compromise(
    scene: Scene, before: timedelta, expected: tuple[str, ...]
) -> None:
    seen = [*scene.seen(0, before=5 * HOUR), *scene.seen(1, before=before)]
    assert outcome(scene.inspect(prove(scene.digest, seen))) == expected
    # A third one who saw it early makes the quorum earlier; a late one does not take it back.
    seen += scene.seen(2, before=4 * HOUR)
    assert outcome(scene.inspect(prove(scene.digest, seen))) == (NOTE,)


def test_lists_that_are_out_of_date_refuse_it_all_the_same(
    scene: Scene, right: InclusionProof
) -> None:
    later = scene.now + timedelta(days=21)
    assert outcome(scene.inspect(right, now=later)) == ("signer.revocation-unknown",)
    fresh = TrustAnchors.from_bytes(
        certificates=(scene.pki.root.certificate,),
        crls=(),
        stop_lists=(scene.stop_list(scene.since),),
    )
    assert outcome(scene.inspect(right, anchors=fresh)) == ("signer.revocation-unknown",)


Change = Callable[[Scene], InclusionProof | bytes]
BAD: dict[str, tuple[str, Change]] = {
    "no bytes": ("malformed", lambda _: b""),
    "too long": ("malformed", lambda _: b"c2sp.org/tlog-proof@v1\n" + bytes(300_000)),
    "no record": ("malformed", lambda s: replace(prove(s.digest, s.seen(0, 1)), record=b"{}")),
    "a digest that is no text": ("malformed", lambda s: prove(5, s.seen(0, 1))),
    "no witness": ("cosignatures-missing", lambda s: prove(s.digest, [])),
    "one witness": ("cosignatures-missing", lambda s: prove(s.digest, s.seen(1))),
    "one witness twice": (
        "cosignatures-missing",
        lambda s: prove(s.digest, [*s.seen(1), *s.seen(1, before=5 * HOUR)]),
    ),
    "a witness that the policy does not name": (
        "cosignatures-missing",
        lambda s: prove(s.digest, s.seen(1, 3)),
    ),
    "another key": (
        "untrusted",
        lambda s: prove(
            s.digest, s.seen(0, 1), signer=SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
        ),
    ),
    "another origin": (
        "untrusted",
        lambda s: prove(s.digest, s.seen(0, 1), origin="log.example/fork"),
    ),
    "cosignatures of another checkpoint": (
        "untrusted",
        lambda s: replace(
            (found := prove(s.digest, [])),
            note=replace(
                found.note,
                signatures=(
                    *found.note.signatures,
                    *prove(s.digest, s.seen(0, 1), size=12).note.signatures[1:],
                ),
            ),
        ),
    ),
    "a checkpoint of a fork": (
        "wrong",
        lambda s: replace(prove(s.digest, s.seen(0, 1)), note=prove("00" * 32, s.seen(0, 1)).note),
    ),
    "a smaller tree": (
        "wrong",
        lambda s: replace(
            prove(s.digest, s.seen(0, 1)), note=prove(s.digest, s.seen(0, 1), size=10).note
        ),
    ),
    "another place": ("wrong", lambda s: replace(prove(s.digest, s.seen(0, 1)), index=5)),
    "another card": ("other-signature", lambda s: prove("00" * 32, s.seen(0, 1))),
    "another kind of record": (
        "other-signature",
        lambda s: prove(s.digest, s.seen(0, 1), kind="crl.intended"),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_proof_is_refused_with_its_own_code(scene: Scene, name: str) -> None:
    code, make = BAD[name]
    assert outcome(scene.inspect(make(scene))) == (f"inclusion-proof.{code}",)


def test_a_proof_without_a_policy_for_logs_is_nobodys(scene: Scene, right: InclusionProof) -> None:
    assert outcome(scene.inspect(right, log_policy=None)) == ("inclusion-proof.untrusted",)


def test_an_altered_security_object_is_no_signature_that_a_proof_could_be_about(
    scene: Scene, right: InclusionProof
) -> None:
    evidence = scene.snapshot.files["EF.SOD"]
    assert evidence.content is not None
    altered = bytearray(evidence.content)
    altered[-1] ^= 1
    files = dict(scene.snapshot.files) | {"EF.SOD": replace(evidence, content=bytes(altered))}
    report = scene.inspect(right, snapshot=replace(scene.snapshot, files=files))
    assert report.verdict is Verdict.REFUSED
    assert "security-object.signature-invalid" in report.codes
    assert report.notes == ()


@given(
    size=st.integers(1, 300),
    part=st.floats(0, 1, exclude_max=True),
    place=st.integers(0, 1 << 16),
    change=st.integers(1, 255),
)
def test_every_leaf_of_every_tree_is_proven_and_no_edited_proof_is(
    size: int, part: float, place: int, change: int
) -> None:
    index = int(part * size)
    digest = hashlib.sha256(b"%d" % index).digest()
    moment = datetime.fromisoformat("2026-01-15T08:00:00+00:00")
    proof = prove(digest.hex(), [(0, moment), (1, moment + HOUR)], size=size, index=index)
    encoded = proof.to_bytes()
    assert known_since(encoded, policy=POLICY, digest=digest) == moment + HOUR
    assert InclusionProof.from_bytes(encoded) == proof
    edited = bytearray(encoded)
    edited[place % len(encoded)] ^= change
    with pytest.raises(PkiError):
        known_since(bytes(edited), policy=POLICY, digest=digest)


@given(proof=st.binary(max_size=400))
def test_any_bytes_are_refused(proof: bytes) -> None:
    with pytest.raises(PkiError):
        known_since(proof, policy=POLICY, digest=bytes(32))


def test_the_kind_of_record_is_the_signers() -> None:
    assert EntryKind.SECURITY_OBJECT_SIGNED.value == SIGNED_OBJECT_KIND


def test_a_policy_for_logs_in_the_trust_directory_is_read_or_stops_the_terminal(
    tmp_path: Path,
) -> None:
    assert load_trust(tmp_path).log_policy is None
    (tmp_path / "log").mkdir()
    path = tmp_path / "log" / "log.policy"
    path.write_bytes(POLICY.to_bytes())
    assert load_trust(tmp_path).log_policy == POLICY
    for content in (b"", b"quorum none\n", POLICY.to_bytes() + b"#" * 70_000):
        path.write_bytes(content)
        with pytest.raises(TrustError, match=r"log\.policy") as caught:
            load_trust(tmp_path)
        assert caught.value.code == "trust.malformed"


def test_proofs_are_found_by_the_digest_and_read_only_then(tmp_path: Path) -> None:
    digest = bytes(range(32))
    find = proofs_in(tmp_path / "proofs")
    assert find(digest) is None
    (tmp_path / "proofs").mkdir()
    path = tmp_path / "proofs" / f"{digest.hex()}.tlog-proof"
    path.write_bytes(b"it")
    assert (find(digest), find(bytes(32))) == (b"it", None)
    assert proof_in_file(path)(bytes(32)) == b"it"
    path.write_bytes(bytes(400_000))
    content = find(digest)
    assert content is not None
    assert len(content) == 262_145
    path.unlink()
    path.mkdir()
    for action in (lambda: find(digest), lambda: proof_in_file(tmp_path / "none")):
        with pytest.raises(TrustError) as caught:
            action()
        assert caught.value.code == "trust.malformed"
