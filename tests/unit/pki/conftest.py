"""A small authority in memory for the tests of this package."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from card_layout.curves import NamedCurve
from pki.certificates.crl import issue_crl
from pki.certificates.issue import issue_authority_certificate, issue_signer_certificate
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import load_certificate_profile
from pki.certificates.trust import TrustAnchors
from pki.keys.algorithms import PublicKey, SignatureAlgorithm
from pki.keys.software import PrivateKey, SoftwareSigner
from pki.record.journal import Journal, JournalEntry, Record, read_journal
from pki.services.authority import AuthorityService
from pki.services.issuance import Linter
from pki.services.recorder import JournalPort, Recorder
from pki.services.state import PkiState
from pki.services.trust_export import export_trust
from pki.signed.master_list_writing import PreparedMasterList

FIXED_NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
FIRST_SERIAL = 2**100


@dataclass(kw_only=True)
class MemoryAuthority:
    """A CSCA with its key, made at ``start``."""

    common_name: str = "TEST authority"
    start: datetime = FIXED_NOW - timedelta(days=30)
    is_test: bool = True
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP384R1())
    )

    def __post_init__(self) -> None:
        self.signer = SoftwareSigner(self.key)
        self.certificate = issue_authority_certificate(
            signer=self.signer,
            profile=load_certificate_profile("csca"),
            name=DistinguishedName(country="VN", common_name=self.common_name),
            serial_number=FIRST_SERIAL,
            not_before=self.start,
            is_test=self.is_test,
            distribution_point="http://pki.example/csca.crl",
        )

    def issue(
        self,
        *,
        key: ec.EllipticCurvePrivateKey | None = None,
        serial_number: int = FIRST_SERIAL + 1,
        start: datetime | None = None,
        common_name: str | None = None,
    ) -> bytes:
        """A document signer's certificate."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        common_name = common_name or ("TEST signer" if self.is_test else "Signer")
        return issue_signer_certificate(
            authority_signer=self.signer,
            authority_certificate=self.certificate,
            public_key=key.public_key(),
            profile=load_certificate_profile("document-signer"),
            name=DistinguishedName(country="VN", common_name=common_name),
            serial_number=serial_number,
            not_before=start or self.start,
            distribution_point="http://pki.example/csca.crl",
        )

    def crl(
        self,
        *revoked: int,
        number: int = 1,
        this_update: datetime = FIXED_NOW - timedelta(days=1),
        lifetime: timedelta = timedelta(days=30),
    ) -> bytes:
        """A CRL that lists these serial numbers."""
        return issue_crl(
            signer=self.signer,
            authority_certificate=self.certificate,
            number=number,
            this_update=this_update,
            next_update=this_update + lifetime,
            revoked=dict.fromkeys(revoked, this_update),
        )


@dataclass(kw_only=True)
class ListOffice:
    """A master-list signer under an authority, whose lists were signed when they are asked for."""

    authority: MemoryAuthority
    profile: str = "master-list-signer"
    serial_number: int = 2**120
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        self.certificate = issue_signer_certificate(
            authority_signer=self.authority.signer,
            authority_certificate=self.authority.certificate,
            public_key=self.key.public_key(),
            profile=load_certificate_profile(self.profile),
            name=DistinguishedName(country="VN", common_name="TEST lists"),
            serial_number=self.serial_number,
            not_before=self.authority.start,
            distribution_point="http://pki.example/csca.crl",
        )

    def make(self, *listed: bytes, at: datetime = FIXED_NOW - timedelta(days=1)) -> bytes:
        """A list of these certificates, or of the authority's own."""
        prepared = PreparedMasterList.compose(
            signer_certificate=self.certificate,
            authority_certificate=self.authority.certificate,
            public_key=self.key.public_key(),
            listed=listed or (self.authority.certificate,),
            signing_time=at,
        )
        return prepared.sign(SoftwareSigner(self.key))


@pytest.fixture(scope="session")
def make_list_office() -> Callable[..., ListOffice]:
    return ListOffice


@pytest.fixture(scope="session")
def list_office(authority: MemoryAuthority) -> ListOffice:
    return ListOffice(authority=authority)


@pytest.fixture(scope="session")
def make_authority() -> Callable[..., MemoryAuthority]:
    return MemoryAuthority


@pytest.fixture(scope="session")
def authority() -> MemoryAuthority:
    return MemoryAuthority()


@pytest.fixture(scope="session")
def fixed_now() -> datetime:
    return FIXED_NOW


class CrashError(Exception):
    """The process died."""


class CrashPoint:
    """Kills the process at the n-th event of its kind; 0 never."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.count = 0

    def reached(self) -> bool:
        self.count += 1
        return self.count == self.at


class MemoryKeystore:
    """A keystore that outlives a crash; its signers may die before or after a signature."""

    def __init__(self) -> None:
        self.keys: dict[str, PrivateKey] = {}
        self.signatures: list[bytes] = []
        self.before = CrashPoint()
        self.after = CrashPoint()

    def create_signing_key(self, *, key_id: str, curve: NamedCurve) -> None:
        assert key_id not in self.keys
        self.keys[key_id] = ec.generate_private_key(curve.to_cryptography())

    def create_rsa_signing_key(self, *, key_id: str, bits: int) -> None:
        assert key_id not in self.keys
        self.keys[key_id] = rsa.generate_private_key(65537, bits)

    def signer(self, key_id: str) -> "MemorySigner":
        return MemorySigner(self, self.keys[key_id])

    def key_ids(self) -> tuple[str, ...]:
        return tuple(sorted(self.keys))

    def destroy(self, key_id: str) -> None:
        del self.keys[key_id]

    def close(self) -> None:
        pass

    def create_master_key(self, *, key_id: str) -> None:
        raise AssertionError(key_id)

    def import_master_key(self, *, key_id: str, value: bytes) -> None:
        raise AssertionError(key_id, len(value))

    def derive(self, key_id: str, *, label: bytes, context: bytes, length: int) -> bytes:
        raise AssertionError(key_id, label, context, length)


class MemorySigner:
    """One key of a ``MemoryKeystore``."""

    def __init__(self, keystore: MemoryKeystore, key: PrivateKey) -> None:
        self._keystore = keystore
        self._inner = SoftwareSigner(key)

    @property
    def algorithm(self) -> SignatureAlgorithm:
        return self._inner.algorithm

    @property
    def public_key(self) -> PublicKey:
        return self._inner.public_key

    def sign(self, message: bytes) -> bytes:
        if self._keystore.before.reached():
            raise CrashError
        signature = self._inner.sign(message)
        self._keystore.signatures.append(message)
        if self._keystore.after.reached():
            raise CrashError
        return signature


class DyingJournal:
    """A journal whose process dies before, or right after, its n-th write."""

    def __init__(self, inner: JournalPort, *, before: CrashPoint, after: CrashPoint) -> None:
        self._inner = inner
        self._before = before
        self._after = after

    def append_many(self, records: Sequence[Record]) -> tuple[JournalEntry, ...]:
        if self._before.reached():
            raise CrashError
        entries = self._inner.append_many(records)
        if self._after.reached():
            raise CrashError
        return entries


class Shelf:
    """A publication in memory."""

    def __init__(self) -> None:
        self.certificates: dict[str, bytes] = {}
        self.crls: dict[str, bytes] = {}
        self.stop_lists: dict[str, bytes] = {}
        self.master_lists: dict[str, bytes] = {}

    def publish_certificate(self, name: str, der: bytes) -> None:
        self.certificates[name] = der

    def publish_crl(self, name: str, der: bytes) -> None:
        self.crls[name] = der

    def publish_stop_list(self, name: str, der: bytes) -> None:
        self.stop_lists[name] = der

    def publish_master_list(self, name: str, der: bytes) -> None:
        self.master_lists[name] = der


class MemoryOffice:
    """An authority whose keys are in memory and whose journal is a file; ``open`` starts a process."""

    def __init__(self, directory: Path) -> None:
        self.journal = directory / "journal"
        self.keystore = MemoryKeystore()
        self.shelf = Shelf()
        self.now = FIXED_NOW
        self.drawn = itertools.count(1)
        self.linter: Linter | None = None
        self.before_write = CrashPoint()
        self.after_write = CrashPoint()

    def random_bytes(self, count: int) -> bytes:
        return next(self.drawn).to_bytes(count, "big")

    @contextmanager
    def open(self) -> Iterator[AuthorityService]:
        state = PkiState()
        with Journal.open(self.journal, replay=state.apply) as journal:
            port = DyingJournal(journal, before=self.before_write, after=self.after_write)
            yield AuthorityService(
                keystore=self.keystore,
                recorder=Recorder(journal=port, state=state, now=lambda: self.now),
                publication=self.shelf,
                random_bytes=self.random_bytes,
                linter=self.linter,
            )

    def entries(self, kind: str = "") -> list[JournalEntry]:
        return [entry for entry in read_journal(self.journal) if kind in {"", entry.kind}]

    @property
    def state(self) -> PkiState:
        state = PkiState()
        for entry in self.entries():
            state.apply(entry)
        return state

    def anchors(self) -> TrustAnchors:
        """What a terminal trusts after an export."""
        files = export_trust(self.state)
        return TrustAnchors.from_bytes(
            certificates=[item.content for item in files if item.path.startswith("csca/")],
            crls=[item.content for item in files if item.path.startswith("crl/")],
            stop_lists=[item.content for item in files if item.path.startswith("stop/")],
        )


@pytest.fixture
def memory_office(tmp_path: Path) -> MemoryOffice:
    return MemoryOffice(tmp_path)


@pytest.fixture
def crash_error() -> type[Exception]:
    return CrashError
