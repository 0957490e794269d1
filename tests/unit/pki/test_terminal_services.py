"""The services behind terminals' certificates: recorded before they are signed, once, and only to those in good standing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import NamedCurve
from card_layout.tlv import Tlv
from pki.bootstrap_terminal import TerminalServices
from pki.card_verifiable.authorisation import CertificateExtension, FileRights, Role
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.chain import judge_chain
from pki.card_verifiable.public_key import CvPublicKey, sign_plainly
from pki.card_verifiable.references import HolderReference
from pki.card_verifiable.request import AuthenticatedRequest, CertificateRequest, RequestBody
from pki.errors import KeystoreError, PkiError
from pki.keys.keystore import check_key_id
from pki.keys.software import SoftwareSigner
from pki.record.journal import Journal, JournalEntry, Record, read_journal
from pki.services.cv_issuer import CvIssuer, publish_all
from pki.services.recorder import JournalPort, Recorder
from pki.services.state import PkiState
from pki.services.terminal_authority import TerminalAuthorityService
from pki.services.terminal_requests import TerminalRequestService
from pki.services.terminals import TerminalService

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
RECORD = FileRights.of([13])
CURVE = NamedCurve.SECP256R1


class Shelf:
    """A publication in memory."""

    def __init__(self) -> None:
        self.certificates: dict[str, bytes] = {}

    def publish_cv_certificate(self, name: str, content: bytes) -> None:
        self.certificates[name] = content

    def __getitem__(self, name: str) -> CvCertificate:
        return CvCertificate.from_bytes(self.certificates[name])


class CrashError(Exception):
    """The process died."""


class CrashingJournal:
    """A journal whose process dies before, or right after, its n-th write."""

    def __init__(self, inner: JournalPort, *, at: int, is_written: bool) -> None:
        self._inner = inner
        self._left = at
        self._is_written = is_written

    def append_many(self, records: Sequence[Record]) -> tuple[JournalEntry, ...]:
        self._left -= 1
        if self._left == 0:
            if self._is_written:
                self._inner.append_many(records)
            raise CrashError
        return self._inner.append_many(records)


class MemoryKeystore:
    """Signing keys in memory, without the price of a passphrase; nothing else of the port is used here."""

    def __init__(self) -> None:
        self._keys: dict[str, SoftwareSigner] = {}

    def create_signing_key(self, *, key_id: str, curve: NamedCurve) -> None:
        assert check_key_id(key_id) not in self._keys
        self._keys[key_id] = SoftwareSigner(ec.generate_private_key(curve.to_cryptography()))

    def signer(self, key_id: str) -> SoftwareSigner:
        if key_id not in self._keys:
            raise KeystoreError(f"no key {key_id}", code="keystore.key-unknown")
        return self._keys[key_id]

    def key_ids(self) -> tuple[str, ...]:
        return tuple(sorted(self._keys))

    def destroy(self, key_id: str) -> None:
        del self._keys[key_id]


class Office:
    """A home in a directory; entering it is starting a process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.shelf = Shelf()
        self.now = NOW
        directory.mkdir(exist_ok=True)
        self.keystore = MemoryKeystore()

    @contextmanager
    def open(self, *, crash_at: int = 0, is_written: bool = False) -> Iterator[TerminalServices]:
        state = PkiState()
        with Journal.open(self.directory / "journal", replay=state.apply) as journal:
            port = CrashingJournal(journal, at=crash_at, is_written=is_written)
            recorder = Recorder(
                journal=port if crash_at else journal, state=state, now=lambda: self.now
            )
            publish_all(state.card_verifiable, self.shelf)
            issuer = CvIssuer(keystore=self.keystore, recorder=recorder, publication=self.shelf)
            yield TerminalServices(
                authority=TerminalAuthorityService(issuer),
                terminals=TerminalService(issuer),
                requests=TerminalRequestService(keystore=self.keystore, recorder=recorder),
            )

    def entries(self) -> list[JournalEntry]:
        return list(read_journal(self.directory / "journal"))


@pytest.fixture
def empty(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


@pytest.fixture
def office(empty: Office) -> Office:
    """A CVCA and a document verifier."""
    with empty.open() as services:
        services.authority.create_authority(
            country="VN", mnemonic="MEMBER", curve=CURVE, files=RECORD
        )
        services.authority.create_document_verifier(mnemonic="OFFICES", files=RECORD)
    return empty


@pytest.fixture
def gate(tmp_path: Path) -> Office:
    """A terminal's own home."""
    return Office(tmp_path / "gate")


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def first_request(gate: Office, mnemonic: str = "GATE1", curve: NamedCurve = CURVE) -> bytes:
    with gate.open() as services:
        return services.requests.request_first(
            country="VN", mnemonic=mnemonic, curve=curve
        ).to_bytes()


def next_request(gate: Office, earlier: CvCertificate) -> bytes:
    with gate.open() as services:
        return services.requests.request_next(earlier).to_bytes()


def issue(office: Office, request: bytes, files: FileRights = RECORD) -> CvCertificate:
    with office.open() as services:
        return services.terminals.issue_terminal(request, files=files)


def renew(office: Office, request: bytes) -> CvCertificate:
    with office.open() as services:
        return services.terminals.renew_terminal(request)


def handmade(
    mnemonic: str = "GATE1",
    number: str = "00001",
    *,
    signer: SoftwareSigner | None = None,
    curve: NamedCurve = CURVE,
    authority: str | None = None,
    extensions: tuple[CertificateExtension, ...] = (),
) -> bytes:
    """A request that no terminal of ours would make."""
    signer = signer or SoftwareSigner(ec.generate_private_key(curve.to_cryptography()))
    body = RequestBody(
        authority_reference=None if authority is None else HolderReference.from_text(authority),
        public_key=CvPublicKey.of(signer, explicit=True),
        holder_reference=HolderReference(country="VN", mnemonic=mnemonic, sequence_number=number),
        extensions=extensions,
    )
    return CertificateRequest(body=body, signature=sign_plainly(signer, body.to_bytes())).to_bytes()


def test_from_nothing_to_a_terminal_that_may_read_the_member_record(
    office: Office, gate: Office
) -> None:
    terminal = issue(office, first_request(gate))
    assert office.shelf["VNGATE100001"] == terminal
    anchor, verifier = office.shelf["VNMEMBER00001"], office.shelf["VNOFFICES00001"]
    judged = judge_chain((verifier, terminal), anchors=(anchor,), on=NOW.date())
    assert judged.rights.files == RECORD
    assert judged.rights.access_bits == 0
    assert anchor.body.expiration_date == date(2029, 11, 20)
    assert verifier.body.expiration_date == date(2027, 2, 20)
    assert terminal.body.expiration_date == date(2026, 12, 20)


def test_the_journal_has_every_intention_before_its_signature(office: Office, gate: Office) -> None:
    issue(office, first_request(gate))
    assert [entry.kind for entry in office.entries()] == [
        "key.intended", "key.created", "cv-certificate.intended", "cv-certificate.issued",
        "key.intended", "key.created", "cv-certificate.intended", "cv-certificate.issued",
        "cv-certificate.intended", "cv-certificate.issued",
    ]  # fmt: skip
    assert [entry.kind for entry in gate.entries()] == [
        "key.intended", "key.created", "terminal-request.intended", "terminal-request.made",
    ]  # fmt: skip


def test_there_is_one_cvca_and_it_comes_first(empty: Office) -> None:
    with empty.open() as services:
        authority = services.authority
        verifier = lambda: authority.create_document_verifier(mnemonic="A", files=RECORD)  # noqa: E731 - one of many alike
        assert code_of(verifier) == "cvca.missing"
        assert code_of(authority.create_link) == "cvca.missing"
        assert (
            code_of(lambda: services.terminals.issue_terminal(handmade(), files=RECORD))
            == "document-verifier.unknown"
        )
        create = lambda: authority.create_authority(  # noqa: E731 - the same
            country="VN", mnemonic="MEMBER", curve=CURVE, files=RECORD
        )
        create()
        assert code_of(create) == "cvca.exists"


@pytest.mark.parametrize("curve", NamedCurve)
def test_a_hierarchy_lives_on_the_curve_of_its_cvca(
    empty: Office, gate: Office, curve: NamedCurve
) -> None:
    with empty.open() as services:
        services.authority.create_authority(
            country="VN", mnemonic="MEMBER", curve=curve, files=RECORD
        )
        services.authority.create_document_verifier(mnemonic="OFFICES", files=RECORD)
    terminal = issue(empty, first_request(gate, curve=curve))
    link_and_root(empty)
    judged = judge_chain(
        (empty.shelf["VNOFFICES00001"], terminal),
        anchors=(empty.shelf["VNMEMBER00001"],),
        on=NOW.date(),
    )
    assert judged.public_key.curve is curve


def link_and_root(office: Office) -> tuple[CvCertificate, CvCertificate]:
    with office.open() as services:
        return services.authority.create_link()


def test_after_a_link_old_and_new_anchors_lead_to_the_same_terminal(
    office: Office, gate: Office
) -> None:
    link, root = link_and_root(office)
    assert link == office.shelf["VNMEMBER00001-VNMEMBER00002"]
    assert root == office.shelf["VNMEMBER00002"]
    assert link.body.public_key == root.body.public_key
    with office.open() as services:
        verifier = services.authority.create_document_verifier(mnemonic="OFFICES", files=RECORD)
    assert verifier.body.authority_reference.text == "VNMEMBER00002"
    assert verifier.body.holder_reference.text == "VNOFFICES00002"
    terminal = issue(office, first_request(gate))
    assert terminal.body.authority_reference.text == "VNOFFICES00002"
    old = judge_chain(
        (link, verifier, terminal), anchors=(office.shelf["VNMEMBER00001"],), on=NOW.date()
    )
    new = judge_chain((verifier, terminal), anchors=(root,), on=NOW.date())
    assert old.rights == new.rights


def test_nobody_gives_rights_that_they_do_not_have(office: Office, gate: Office) -> None:
    with office.open() as services:
        action = lambda: services.authority.create_document_verifier(  # noqa: E731 - one of many alike
            mnemonic="MORE", files=FileRights.of([13, 11])
        )
        assert code_of(action) == "cv-certificate.rights-exceeded"
    before = len(office.entries())
    request = first_request(gate)
    assert (
        code_of(lambda: issue(office, request, FileRights.of([2])))
        == "cv-certificate.rights-exceeded"
    )
    assert len(office.entries()) == before
    assert issue(office, request, FileRights()).body.extensions == ()


def test_a_terminal_renews_with_its_own_key_as_often_as_it_likes(
    office: Office, gate: Office
) -> None:
    terminal = issue(office, first_request(gate))
    for month in range(1, 3):
        office.now = gate.now = NOW + timedelta(days=28 * month)
        terminal = renew(office, next_request(gate, terminal))
        assert terminal.body.holder_reference.text == f"VNGATE10000{month + 1}"
        assert terminal.body.file_rights == RECORD
        assert terminal.body.effective_date == office.now.date()


def test_a_terminal_stays_with_its_document_verifier_through_all_of_its_keys(
    office: Office, gate: Office
) -> None:
    terminal = issue(office, first_request(gate))
    with office.open() as services:
        services.authority.create_document_verifier(mnemonic="OFFICES", files=RECORD)
        services.authority.create_document_verifier(mnemonic="BORDER", files=RECORD)
    renewed = renew(office, next_request(gate, terminal))
    assert renewed.body.authority_reference.text == "VNOFFICES00002"


def test_rights_shrink_with_those_of_the_document_verifier(office: Office, gate: Office) -> None:
    terminal = issue(office, first_request(gate))
    with office.open() as services:
        services.authority.create_document_verifier(mnemonic="OFFICES", files=FileRights())
    assert renew(office, next_request(gate, terminal)).body.file_rights == FileRights()


def test_a_terminals_certificate_ends_no_later_than_its_document_verifiers(
    office: Office, gate: Office
) -> None:
    office.now = NOW + timedelta(days=80)
    terminal = issue(office, first_request(gate))
    verifier = office.shelf["VNOFFICES00001"]
    assert terminal.body.expiration_date == verifier.body.expiration_date
    office.now = NOW + timedelta(days=92)
    request = handmade("GATE2")
    assert code_of(lambda: issue(office, request)) == "cv-certificate.expired"


def test_a_terminal_that_was_silent_too_long_needs_a_person_again(
    office: Office, gate: Office
) -> None:
    terminal = issue(office, first_request(gate))
    office.now = NOW + timedelta(days=31)
    request = next_request(gate, terminal)
    assert code_of(lambda: renew(office, request)) == "cv-certificate.expired"
    assert issue(office, first_request(gate)).body.holder_reference.text == "VNGATE100003"


def test_a_blocked_terminal_gets_nothing_more(office: Office, gate: Office) -> None:
    terminal = issue(office, first_request(gate))
    with office.open() as services:
        block = services.terminals.block_terminal
        assert code_of(lambda: block("VNGATE9", reason="lost")) == "terminal.unknown"
        for reason in ("", "x" * 201, "a\nb"):
            action = lambda reason=reason: block("VNGATE1", reason=reason)  # noqa: E731 - one of many alike
            assert code_of(action) == "signing.request-invalid"
        block("VNGATE1", reason="stolen")
        assert code_of(lambda: block("VNGATE1", reason="again")) == "terminal.blocked"
    request = next_request(gate, terminal)
    assert code_of(lambda: renew(office, request)) == "terminal.blocked"
    office.now = NOW + timedelta(days=31)
    request = first_request(gate)
    assert code_of(lambda: issue(office, request)) == "terminal.blocked"


def test_only_the_newest_key_vouches(office: Office, gate: Office) -> None:
    first = issue(office, first_request(gate))
    renew(office, next_request(gate, first))
    request = next_request(gate, first)
    assert code_of(lambda: renew(office, request)) == "terminal.superseded"


def test_a_request_is_good_for_one_certificate(office: Office, gate: Office) -> None:
    first = issue(office, first_request(gate))
    request = next_request(gate, first)
    renew(office, request)
    assert code_of(lambda: renew(office, request)) == "terminal.superseded"


def test_issue_and_renew_do_not_take_each_others_requests(office: Office, gate: Office) -> None:
    request = first_request(gate)
    assert code_of(lambda: renew(office, request)) == "terminal-request.not-authenticated"
    terminal = issue(office, request)
    later = next_request(gate, terminal)
    assert code_of(lambda: issue(office, later)) == "terminal-request.authenticated"
    assert code_of(lambda: issue(office, handmade(number="00009"))) == "terminal.exists"


def test_a_terminal_vouches_for_itself_alone(office: Office) -> None:
    signer = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
    other = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
    gate_1 = issue(office, handmade("GATE1", signer=signer)).body.holder_reference

    def vouched(mnemonic: str, by: SoftwareSigner, reference: HolderReference) -> bytes:
        request = CertificateRequest.from_bytes(handmade(mnemonic, "00002"))
        return AuthenticatedRequest.make(request, signer=by, reference=reference).to_bytes()

    for request, code in (
        (vouched("GATE2", signer, gate_1), "terminal-request.holder-differs"),
        (vouched("GATE1", other, gate_1), "cv-certificate.signature-invalid"),
        (vouched("GATE1", signer, gate_1.next), "terminal.unknown"),
        (
            vouched("OFFICES", signer, HolderReference.from_text("VNOFFICES00001")),
            "terminal.unknown",
        ),
    ):
        assert code_of(lambda request=request: renew(office, request)) == code
    assert renew(office, vouched("GATE1", signer, gate_1)).body.holder_reference == gate_1.next


def test_a_request_that_cannot_be_granted_leaves_nothing_behind(office: Office) -> None:
    signer = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
    issue(office, handmade("GATE9", signer=signer))
    before = len(office.entries())
    forged = bytearray(handmade())
    forged[-1] ^= 1
    asking = CertificateExtension(oid="1.2.3", objects=(Tlv(0x80, b"\x01"),))
    for request, code in (
        (b"", "cv-certificate.malformed"),
        (bytes(forged), "cv-certificate.signature-invalid"),
        (handmade("OFFICES", "00009"), "terminal-request.holder-taken"),
        (handmade("MEMBER", "00009"), "terminal-request.holder-taken"),
        (handmade("../GATE"), "terminal-request.holder-invalid"),
        (handmade("gate"), "terminal-request.holder-invalid"),
        (handmade(curve=NamedCurve.SECP384R1), "terminal-request.curve-differs"),
        (handmade(authority="VNOTHERS00001"), "document-verifier.unknown"),
        (handmade(extensions=(asking,)), "terminal-request.extensions"),
        (handmade(signer=signer), "terminal-request.key-used"),
    ):
        assert code_of(lambda request=request: issue(office, request)) == code
    assert len(office.entries()) == before
    issue(office, handmade(authority="VNOFFICES00007"))


def test_a_sequence_number_is_used_once(office: Office) -> None:
    issue(office, handmade(number="00005"))
    office.now = NOW + timedelta(days=40)
    for number in ("00004", "00005"):
        request = handmade(number=number)
        assert code_of(lambda request=request: issue(office, request)) == (
            "terminal-request.reference-used"
        )
    issue(office, handmade(number="00006"))


def test_a_document_verifier_can_be_chosen(office: Office) -> None:
    with office.open() as services:
        services.authority.create_document_verifier(mnemonic="BORDER", files=RECORD)
        reference = HolderReference.from_text("VNOFFICES00001")
        chosen = services.terminals.issue_terminal(
            handmade("GATE1"), files=RECORD, verifier=reference
        )
        newest = services.terminals.issue_terminal(handmade("GATE2"), files=RECORD)
        action = lambda: services.terminals.issue_terminal(  # noqa: E731 - one of many alike
            handmade("GATE3"), files=RECORD, verifier=reference.next
        )
        assert code_of(action) == "document-verifier.unknown"
        action = lambda: services.terminals.issue_terminal(  # noqa: E731 - the same
            handmade("GATE3", authority="VNBORDER00001"), files=RECORD, verifier=reference
        )
        assert code_of(action) == "terminal-request.authority-differs"
        asked = services.terminals.issue_terminal(
            handmade("GATE4", authority="VNOFFICES00001"), files=RECORD
        )
        assert asked.body.authority_reference == reference
    assert chosen.body.authority_reference == reference
    assert newest.body.authority_reference.text == "VNBORDER00001"


@pytest.mark.parametrize("mnemonic", ["", "TOOLONGNAME", "small", "MEMBER", "A/B", "A B", "É"])
def test_a_document_verifiers_name_is_plain_and_its_own(office: Office, mnemonic: str) -> None:
    with office.open() as services:
        action = lambda: services.authority.create_document_verifier(  # noqa: E731 - one of many alike
            mnemonic=mnemonic, files=RECORD
        )
        expected = "holder-taken" if mnemonic == "MEMBER" else "holder-invalid"
        assert code_of(action) == f"terminal-request.{expected}"


def test_a_terminal_renews_only_with_a_key_that_it_has(office: Office, gate: Office) -> None:
    foreign = issue(office, handmade("GATE2"))
    verifier = office.shelf["VNOFFICES00001"]
    own = issue(office, first_request(gate))
    with gate.open() as services:
        request = services.requests.request_next
        assert code_of(lambda: request(foreign)) == "keystore.key-unknown"
        assert code_of(lambda: request(verifier)) == "terminal-request.not-a-terminal"
    body = replace(own.body, public_key=foreign.body.public_key)
    impostor = CvCertificate(body=body, signature=own.signature)
    with gate.open() as services:
        action = lambda: services.requests.request_next(impostor)  # noqa: E731 - one of many alike
        assert code_of(action) == "signing.key-mismatch"


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("at", range(1, 7))
def test_a_crash_while_linking_never_makes_two_certificates_for_one_reference(
    office: Office, at: int, *, is_written: bool
) -> None:
    # A link has six entries: two for its key, two for each certificate.
    with pytest.raises(CrashError), office.open(crash_at=at, is_written=is_written) as services:
        services.authority.create_link()
    link_and_root(office)
    intended = [
        (entry.text("authority"), entry.text("holder"))
        for entry in office.entries()
        if entry.kind == "cv-certificate.intended"
    ]
    assert len(intended) == len(set(intended))
    with office.open() as services:
        verifier = services.authority.create_document_verifier(mnemonic="OFFICES", files=RECORD)
    newest = verifier.body.authority_reference
    # Whatever was published leads from the first anchor, or from the newest, to the document verifier.
    assert office.shelf[newest.text].body.authorisation.role is Role.CVCA
    for name in office.shelf.certificates:
        _, _, target = name.partition("-")
        assert not target or target in office.shelf.certificates


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("at", [1, 2])
def test_a_crash_while_issuing_uses_the_sequence_number_or_not(
    office: Office, gate: Office, at: int, *, is_written: bool
) -> None:
    request = first_request(gate)
    with pytest.raises(CrashError), office.open(crash_at=at, is_written=is_written) as services:
        services.terminals.issue_terminal(request, files=RECORD)
    if (at, is_written) == (1, False):
        issue(office, request)
    elif (at, is_written) == (2, True):
        # The certificate exists and is published at the next start.
        with office.open():
            assert "VNGATE100001" in office.shelf.certificates
    else:
        assert code_of(lambda: issue(office, request)) == "terminal-request.key-used"
        assert issue(office, first_request(gate)).body.holder_reference.text == "VNGATE100002"


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("at", range(1, 5))
def test_a_crash_while_requesting_costs_at_most_a_sequence_number(
    office: Office, gate: Office, at: int, *, is_written: bool
) -> None:
    with pytest.raises(CrashError), gate.open(crash_at=at, is_written=is_written) as services:
        services.requests.request_first(country="VN", mnemonic="GATE1", curve=CURVE)
    terminal = issue(office, first_request(gate))
    assert terminal.body.holder_reference.sequence_number in {"00001", "00002"}
    renew(office, next_request(gate, terminal))
