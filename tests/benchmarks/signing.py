"""Benchmarks of security objects: complete EF.SOD files of nine data groups with a 16 kB portrait."""

import hashlib
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from card_layout.curves import NamedCurve
from card_layout.files.security_object_file import SecurityObjectFile
from pki.certificates import trust
from pki.certificates.authority_path import issuing_anchor
from pki.certificates.certificate import load_certificate
from pki.certificates.issue import issue_signer_certificate
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import load_certificate_profile
from pki.certificates.profile_checks import is_issued_by
from pki.certificates.trust import TrustAnchors
from pki.keys.algorithms import elliptic_curve_key
from pki.keys.open import KeystoreKind, create_keystore
from pki.keys.signer import Signer
from pki.keys.software import SoftwareSigner
from pki.keys.token_library import find_softhsm
from pki.signed import splicing
from pki.signed.security_object import SecurityObject, SecurityObjectComposer, StatusReference
from simulators.authority import SignerKind, TestAuthority
from tests.benchmarks.measure import (
    Announce,
    Record,
    compare,
    compare_rates,
    cpu_seconds,
    wall_seconds,
)

__all__ = ["measure_signing"]

_GROUPS = (1, 2, 3, 7, 11, 12, 13, 14, 16)
_PORTRAIT_GROUP = 2
_PORTRAIT_BYTES = 16_000
_OTHER_BYTES = 150
_CARDS = 100
_STATUS = StatusReference(list_id=b"benchbed", index=123_456)


@dataclass(kw_only=True)
class _SigningBench:
    """One document signer of a test authority, and the files of a stream of cards."""

    authority: TestAuthority
    now: datetime
    cards: list[dict[int, bytes]] = field(repr=False)
    signer: SoftwareSigner = field(init=False)

    @classmethod
    def create(cls) -> "_SigningBench":
        now = datetime.now(UTC).replace(microsecond=0)
        chance = Random(16)
        return cls(
            authority=TestAuthority.create(now=now - timedelta(days=1)),
            now=now,
            cards=[
                {
                    number: chance.randbytes(
                        _PORTRAIT_BYTES if number == _PORTRAIT_GROUP else _OTHER_BYTES
                    )
                    for number in _GROUPS
                }
                for _ in range(_CARDS)
            ],
        )

    def __post_init__(self) -> None:
        self.signer = self.authority.signers[SignerKind.CURRENT].signer

    @property
    def certificate(self) -> bytes:
        return self.authority.signers[SignerKind.CURRENT].certificate

    def sign_all(self, signer: Signer, certificate: bytes) -> list[bytes]:
        """The EF.SOD of every card: hashing, composing, signing, wrapping."""
        return self.sign_all_of(self.cards, signer, certificate)

    def sign_all_of(
        self, cards: list[dict[int, bytes]], signer: Signer, certificate: bytes
    ) -> list[bytes]:
        """The same of some cards."""
        composer = SecurityObjectComposer(
            algorithm=signer.algorithm, public_key=signer.public_key, certificate_der=certificate
        )
        hash_algorithm = signer.algorithm.hash_algorithm
        moment = self.authority.created_at
        objects = []
        for files in cards:
            prepared = composer.prepare(
                file_hashes=hash_algorithm.digests(files),
                signing_time=moment,
                status_reference=_STATUS,
            )
            content_info = prepared.finish(signer.sign(prepared.to_be_signed))
            objects.append(SecurityObjectFile(content_info=content_info).to_bytes())
        return objects

    def hash_and_sign_all(self, sign: Callable[[bytes], object]) -> None:
        """The limit: the hashes and one bare signature a card."""
        message = bytes(135)
        for files in self.cards:
            for content in files.values():
                hashlib.sha256(content).digest()
            sign(message)

    def new_signer(self, number: int) -> tuple[SoftwareSigner, bytes]:
        """A signer that nobody has met, and its certificate."""
        signer = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
        return signer, self.certify(
            elliptic_curve_key(signer.public_key), _first_serial_number() + number + 1
        )

    def certify(self, public_key: ec.EllipticCurvePublicKey, serial_number: int) -> bytes:
        """A document signer's certificate over another key."""
        return issue_signer_certificate(
            authority_signer=self.authority.root.signer,
            authority_certificate=self.authority.root.certificate,
            profile=load_certificate_profile("document-signer"),
            name=DistinguishedName(country="VN", common_name="TEST signer of the bench"),
            public_key=public_key,
            serial_number=serial_number,
            not_before=self.now - timedelta(days=2),
        )


def measure_signing(announce: Announce) -> Iterator[Record]:
    """pki.sod.sign, .openssl, .pkcs11, .two_processes, .verify_cached, .verify_cold."""
    bench = _SigningBench.create()
    announce(f"pki.sod.sign: 31 rounds of {_CARDS} security objects")
    bare_sign = _bare_sign(bench)
    yield compare_rates(
        "pki.sod.sign",
        value=lambda: _each(lambda: bench.sign_all(bench.signer, bench.certificate)),
        baseline=lambda: _each(lambda: bench.hash_and_sign_all(bare_sign)),
        goal=0.85,
        rounds=31,
    )
    yield from _measure_openssl(bench, announce)
    yield from _measure_pkcs11(bench, announce)
    yield from _measure_two_processes(announce)
    yield from _measure_verifying(bench, announce)


def _each(work: Callable[[], object]) -> float:
    return cpu_seconds(work) / _CARDS


def _elliptic_curve_private_key(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
) -> ec.EllipticCurvePrivateKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the bench's authority has an RSA key, expected elliptic curves")
    return key


def _wall_each(work: Callable[[], object]) -> float:
    return wall_seconds(work) / _CARDS


def _bare_sign(bench: _SigningBench) -> Callable[[bytes], bytes]:
    key = _elliptic_curve_private_key(bench.authority.signers[SignerKind.CURRENT].private_key)
    ecdsa = ec.ECDSA(hashes.SHA256())
    return lambda message: key.sign(message, ecdsa)


def _measure_openssl(bench: _SigningBench, announce: Announce) -> Iterator[Record]:
    """The same content signed by a process of ``openssl cms -sign``, as a script would do it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        announce("pki.sod.openssl: left out, there is no openssl")
        return
    announce("pki.sod.openssl: 15 rounds")
    signer = bench.authority.signers[SignerKind.CURRENT]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        key, certificate, content = (directory / item for item in ("key", "cert", "content"))
        key.touch(mode=0o600)
        key.write_bytes(
            signer.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        certificate.write_bytes(
            x509.load_der_x509_certificate(signer.certificate).public_bytes(Encoding.PEM)
        )
        command = [openssl, "cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-md", "sha256"]
        command += ["-econtent_type", "2.23.136.1.1.1", "-outform", "DER", "-in", str(content)]
        command += ["-signer", str(certificate), "-inkey", str(key)]
        prepared = SecurityObject.from_bytes(_objects(bench)[0][4:])
        content.write_bytes(prepared.signed_content)

        def run() -> None:
            for body in bench.cards[0].values():
                hashlib.sha256(body).digest()
            subprocess.run(command, check=True, capture_output=True)

        yield compare_rates(
            "pki.sod.openssl",
            value=lambda: _wall_each(lambda: bench.sign_all(bench.signer, bench.certificate)),
            baseline=lambda: wall_seconds(run),
            goal=80,
            rounds=15,
        )


def _objects(bench: _SigningBench) -> list[bytes]:
    return bench.sign_all(bench.signer, bench.certificate)


def _measure_pkcs11(bench: _SigningBench, announce: Announce) -> Iterator[Record]:
    """The key in SoftHSM2, against its bare signature and the hashes."""
    if find_softhsm() is None:
        announce("pki.sod.pkcs11: left out, SoftHSM2 or python-pkcs11 was not found")
        return
    with tempfile.TemporaryDirectory() as name:
        keystore = create_keystore(Path(name) / "keys", kind=KeystoreKind.PKCS11, pin="27182818")
        try:
            announce(f"pki.sod.pkcs11: 9 rounds of {_CARDS} security objects")
            keystore.create_signing_key(key_id="bench", curve=NamedCurve.SECP256R1)
            signer = keystore.signer("bench")
            certificate = bench.certify(
                elliptic_curve_key(signer.public_key), _first_serial_number()
            )
            yield compare_rates(
                "pki.sod.pkcs11",
                # SoftHSM2 calculates in the thread that calls it, so its time is CPU time.
                value=lambda: _each(lambda: bench.sign_all(signer, certificate)),
                baseline=lambda: _each(lambda: bench.hash_and_sign_all(signer.sign)),
                goal=0.80,
                rounds=9,
            )
        finally:
            keystore.close()


def _first_serial_number() -> int:
    """Serial numbers have at least 64 bits."""
    return 1 << 70


_bench_of_process: list[_SigningBench] = []


def _prepare_process() -> None:
    _bench_of_process.append(_SigningBench.create())


def _sign_batches(count: int) -> None:
    bench = _bench_of_process[0]
    for _ in range(count):
        bench.sign_all(bench.signer, bench.certificate)


def _measure_two_processes(announce: Announce) -> Iterator[Record]:
    """Twice the work in two processes, against once in one of them."""
    if (os.cpu_count() or 1) < 2:
        announce("pki.sod.two_processes: left out, there is one processor")
        return
    announce("pki.sod.two_processes: 9 rounds")
    batches = 40
    with ProcessPoolExecutor(
        2, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare_process
    ) as pool:

        def run(processes: int) -> float:
            begin = time.perf_counter()
            for job in [pool.submit(_sign_batches, batches) for _ in range(processes)]:
                job.result()
            return (time.perf_counter() - begin) / (processes * batches * _CARDS)

        # The first jobs start both processes.
        run(2)
        yield compare_rates(
            "pki.sod.two_processes",
            value=lambda: run(2),
            baseline=lambda: run(1),
            goal=1.75,
            rounds=9,
        )


def _measure_verifying(bench: _SigningBench, announce: Announce) -> Iterator[Record]:
    """A security object and its files judged, with the signer's chain known and for the first time."""
    anchors = TrustAnchors.from_bytes(
        certificates=[bench.authority.root.certificate],
        crls=[bench.authority.revocation_list(now=bench.now)],
    )
    cards = list(zip(bench.cards, _objects(bench), strict=True))

    def judge(files: dict[int, bytes], content: bytes) -> None:
        security_object = SecurityObject.from_bytes(
            SecurityObjectFile.from_bytes(content).content_info
        )
        security_object.verify_signature()
        certificate = security_object.signer_certificate
        moment = security_object.check_signing_time(now=bench.now)
        trust.check_signer_profile(certificate, document_code="CM", allow_test=True)
        authority = trust.find_authority(certificate, anchors)
        trust.check_validity(certificate, authority, signing_time=moment, now=bench.now)
        trust.check_revocation(certificate, authority, anchors, now=bench.now)
        if security_object.file_hash_algorithm.digests(files) != security_object.file_hashes:
            raise AssertionError("a file is not the one that was signed")

    def judge_all(cards: list[tuple[dict[int, bytes], bytes]]) -> Callable[[], float]:
        def work() -> None:
            for files, content in cards:
                judge(files, content)

        return lambda: cpu_seconds(work) / len(cards)

    signer_key = _elliptic_curve_private_key(
        bench.authority.signers[SignerKind.CURRENT].private_key
    )
    announce("pki.sod.verify_cached: 21 rounds")
    yield compare(
        "pki.sod.verify_cached",
        value=judge_all(cards),
        baseline=_verifications(bench.cards, [signer_key]),
        unit="s",
        goal=1.3,
        rounds=21,
    )
    announce(f"pki.sod.verify_cold: 11 rounds of {_SIGNERS} signers")
    cold = [
        (files, bench.sign_all_of([files], *bench.new_signer(number))[0])
        for number, files in enumerate(bench.cards[:_SIGNERS])
    ]
    judge_cold = judge_all(cold)

    def value() -> float:
        for cache in _CACHES_OF_SIGNERS:
            cache.cache_clear()
        # The authority was known before: only the signers are met for the first time.
        judge(*cards[0])
        return judge_cold()

    yield compare(
        "pki.sod.verify_cold",
        value=value,
        baseline=_verifications(
            bench.cards[:_SIGNERS],
            [signer_key, _elliptic_curve_private_key(bench.authority.root.private_key)],
        ),
        unit="s",
        goal=2.2,
        rounds=11,
    )


_SIGNERS = 20
_CACHES_OF_SIGNERS = (
    load_certificate,
    is_issued_by,
    issuing_anchor,
    splicing.template_of,
    trust.load_signer,
)


def _verifications(
    cards: list[dict[int, bytes]], keys: list[ec.EllipticCurvePrivateKey]
) -> Callable[[], float]:
    """One verification with each key, and the hashes of the files, of every card."""
    message = bytes(135)
    ecdsa = ec.ECDSA(hashes.SHA256())
    prepared = [(key.public_key(), key.sign(message, ecdsa)) for key in keys]

    def work() -> None:
        for files in cards:
            for public_key, signature in prepared:
                public_key.verify(signature, message, ecdsa)
            for content in files.values():
                hashlib.sha256(content).digest()

    return lambda: cpu_seconds(work) / len(cards)
