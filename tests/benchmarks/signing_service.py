"""Benchmark of the signer process: cards through its socket against the raw keystore, both in SoftHSM2."""

import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from card_layout.curves import NamedCurve
from pki.keys.open import KeystoreKind, create_keystore
from pki.keys.signer import Signer
from pki.keys.token_library import find_softhsm
from pki.services.document_signer import SigningRequest
from pki.signed.security_object import SecurityObject, StatusReference
from pki.signer_service.client import SocketDocumentSigner
from tests.benchmarks.measure import Announce, Record, compare

__all__ = ["CLIENTS", "measure_signing_service", "signer_service", "through_socket"]

_PROGRAM = Path(sys.executable).with_name("membercard-pki")
_OPERATORS = ("an", "binh")
CLIENTS = 2
_REQUESTS = 2
_CARDS = 250
_ROUNDS = 15
_GROUPS = (1, 2, 11, 12, 13, 14)


def measure_signing_service(announce: Announce) -> Iterator[Record]:
    """pki.signer.batch: two clients, 250 cards a request, authorised, counted and in the journal."""
    kind = KeystoreKind.FILE if find_softhsm() is None else KeystoreKind.PKCS11
    with tempfile.TemporaryDirectory(prefix="membercard-bench-") as folder:
        directory = Path(folder)
        announce("a signer process with two clients, 250 cards a request")
        raw = create_keystore(directory / "raw", kind=kind, pin=secrets.token_hex(16))
        with closing(raw):
            raw.create_signing_key(key_id="raw", curve=NamedCurve.SECP256R1)
            signer = raw.signer("raw")
            with signer_service(directory, kind) as authorisation:
                clients = [
                    SocketDocumentSigner(directory / "run/s", authorisation=authorisation)
                    for _ in range(CLIENTS)
                ]
                with ThreadPoolExecutor(CLIENTS) as threads:
                    yield compare(
                        "pki.signer.batch",
                        value=lambda: through_socket(clients, threads),
                        baseline=lambda: _raw(signer),
                        unit="cards/s",
                        # Keys in files sign faster than any token: there is no goal for them.
                        goal=0.75 if kind is KeystoreKind.PKCS11 else None,
                        better="higher",
                        rounds=_ROUNDS,
                    )
                for client in clients:
                    client.close()


def _raw(signer: Signer) -> float:
    """Signatures a second with nothing around them: the signed attributes have about 150 bytes."""
    count = CLIENTS * _REQUESTS * _CARDS
    messages = [secrets.token_bytes(150) for _ in range(count)]
    begin = time.perf_counter()
    for message in messages:
        signer.sign(message)
    return count / (time.perf_counter() - begin)


def through_socket(clients: list[SocketDocumentSigner], threads: ThreadPoolExecutor) -> float:
    """Cards a second that the signer process signs for clients who do nothing else."""
    work = [[[_card() for _ in range(_CARDS)] for _ in range(_REQUESTS)] for _ in clients]

    def sign(client: SocketDocumentSigner, requests: list[list[SigningRequest]]) -> list[bytes]:
        return [signed for cards in requests for signed in client.sign_many(cards)]

    begin = time.perf_counter()
    results = list(threads.map(sign, clients, work))
    seconds = time.perf_counter() - begin
    for requests, signed in zip(work, results, strict=True):
        last = SecurityObject.from_bytes(signed[-1])
        last.verify_signature()
        if last.file_hashes != requests[-1][-1].file_hashes:
            raise AssertionError("the signer signed something else")
    return CLIENTS * _REQUESTS * _CARDS / seconds


def _card() -> SigningRequest:
    return SigningRequest(
        reference=secrets.token_bytes(16),
        file_hashes={group: secrets.token_bytes(32) for group in _GROUPS},
        status_reference=StatusReference(list_id=bytes(8), index=secrets.randbits(32)),
        signing_time=datetime.now(UTC).replace(microsecond=0),
    )


@contextmanager
def signer_service(directory: Path, kind: KeystoreKind) -> Iterator[bytes]:
    """A home with an authorised batch, and the signer process over it; gives the authorisation."""

    def pki(*words: str) -> None:
        command = [str(_PROGRAM), "--home", str(directory / "pki"), *words]
        subprocess.run(command, check=True, capture_output=True)

    pki("authority", "create", "--test", "--name", "Bench", "--keystore", kind.value,
        "--pin-file", str(directory / "pki.pin"))  # fmt: skip
    pki("signer", "create", "--id", "ds-1")
    batch = directory / "batch.json"
    pki("authorisation", "create", "--cards", "100000", "--until", "8h", "--out", str(batch))
    for name in _OPERATORS:
        pin_file = ("--operator-pin-file", str(directory / f"{name}.pin"))
        pki("operator", "enrol", name, *pin_file)
        pki("authorisation", "sign", str(batch), "--operator", name, *pin_file)
    process = subprocess.Popen(
        [
            str(_PROGRAM), "--home", str(directory / "pki"), "signer", "serve",
            "--socket", str(directory / "run/s"),
        ],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        if process.stdout is None or not process.stdout.readline().startswith("ready"):
            raise AssertionError("the signer did not start")
        yield batch.read_bytes()
    finally:
        process.terminate()
        process.communicate(timeout=30)
