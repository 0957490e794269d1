"""Which cryptography calls a piece of work makes, and what they cost when nothing else is done.

The calls are counted while the work runs. How many bytes the symmetric ones took follows from what went over the wire
(`tests.benchmarks.wire`); both counts are held against each other. Then all of them are made again, bare, one behind
the other: the baseline of a CPU figure is what was really computed, not what somebody thought was.
"""

import hashlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC

from tests.benchmarks.wire import ProtectedExchange

__all__ = ["CallRecorder", "bare_seconds", "cipher_and_mac", "necessary_calls"]

_METHODS = {
    ("ECPrivateKey", "exchange"): "ecdh",
    ("ECPrivateKey", "sign"): "ecdsa-sign",
    ("ECPublicKey", "verify"): "ecdsa-verify",
    ("EllipticCurvePublicNumbers", "public_key"): "point-check",
    ("CMAC", "finalize"): "cmac",
    ("Hash", "finalize"): "hash",
}
_FUNCTIONS = {
    "from_encoded_point": "point-check",
    "from_public_bytes": "point-check",
    "derive_private_key": "ec-derive",
    "generate_private_key": "ec-generate",
    "create_encryption_ctx": "cipher",
    "create_decryption_ctx": "cipher",
    "openssl_sha1": "hash",
    "openssl_sha256": "hash",
    "openssl_sha384": "hash",
    "openssl_sha512": "hash",
}


class CallRecorder:
    """Counts the cryptography calls that are made in ``recording``, in threads that begin there, too."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._paused = threading.local()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Count what is called inside the block."""
        sys.setprofile(self._watch)
        threading.setprofile(self._watch)
        try:
            yield
        finally:
            threading.setprofile(None)
            sys.setprofile(None)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what this thread calls inside the block: the card's side of a conversation."""
        self._paused.value = True
        try:
            yield
        finally:
            self._paused.value = False

    def __str__(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))

    def _watch(self, _frame: FrameType, event: str, callee: Any) -> None:
        if event != "c_call" or getattr(self._paused, "value", False):
            return
        owner = type(getattr(callee, "__self__", None)).__name__
        name = _METHODS.get((owner, callee.__name__)) or _FUNCTIONS.get(callee.__name__)
        if name is not None:
            self.counts[name] += 1


@dataclass(slots=True)
class _Bare:
    """One way to make each call, everything around it prepared beforehand."""

    curve: ec.EllipticCurve
    own: ec.EllipticCurvePrivateKey = field(init=False)

    def __post_init__(self) -> None:
        self.own = ec.generate_private_key(self.curve)

    def calls(self) -> dict[str, Callable[[], object]]:
        """By the names of the counts."""
        own = self.own
        public = own.public_key()
        other = ec.generate_private_key(self.curve).public_key()
        numbers = other.public_numbers()
        scalar = own.private_numbers().private_value
        ecdsa = ec.ECDSA(hashes.SHA256())
        signature = own.sign(b"message", ecdsa)
        return {
            "ecdh": lambda: own.exchange(ec.ECDH(), other),
            "ec-derive": lambda: ec.derive_private_key(scalar, self.curve),
            "ec-generate": lambda: ec.generate_private_key(self.curve),
            "point-check": numbers.public_key,
            "ecdsa-sign": lambda: own.sign(b"message", ecdsa),
            "ecdsa-verify": lambda: public.verify(signature, b"message", ecdsa),
            "cipher": _one_cipher,
            "cmac": _one_cmac,
            "hash": lambda: hashlib.sha1(bytes(24), usedforsecurity=False).digest(),
        }


def _one_cipher() -> object:
    return Cipher(AES(bytes(16)), CBC(bytes(16))).encryptor().update(bytes(16))


def _one_cmac() -> object:
    mac = CMAC(AES(bytes(16)))
    mac.update(bytes(80))
    return mac.finalize()


def cipher_and_mac(exchanges: list[ProtectedExchange]) -> Callable[[], None]:
    """The AES and CMAC calls of protected exchanges, bare: vector, cipher and MAC each way, keys at hand."""
    algorithm = AES(bytes(16))
    block = Cipher(algorithm, ECB()).encryptor()  # noqa: S305 - as the vectors of both protocols are computed
    mac = CMAC(algorithm)
    vector = bytes(16)
    steps = [
        (bytes(cipher), bytes(covered))
        for exchange in exchanges
        for cipher, covered in (exchange.command, exchange.answer)
    ]

    def work() -> None:
        for plain, covered in steps:
            if plain:
                cipher = Cipher(algorithm, CBC(block.update(vector))).encryptor()
                cipher.update(plain)
                cipher.finalize()
            if covered:
                one = mac.copy()
                one.update(covered)
                one.finalize()

    return work


def necessary_calls(
    made: Mapping[str, int], *, drawn: int, derived: int, products: int
) -> Counter[str]:
    """The same calls, with no more on the curve than the protocols need.

    Args:
        made: what was counted.
        drawn: key pairs of the terminal, one fixed-base multiplication each.
        derived: other multiplications of the generator; those cost as much as a key pair.
        products: multiplications of points of the chip, each of which has to be checked but for a mapped generator.
    """
    necessary = Counter(made)
    necessary["ec-generate"] = drawn + derived
    necessary["ec-derive"] = 0
    necessary["ecdh"] = necessary["point-check"] = products
    return necessary


def bare_seconds(
    made: Mapping[str, int],
    *,
    curve: ec.EllipticCurve,
    exchanges: list[ProtectedExchange],
    hashed: list[bytes],
) -> Callable[[], float]:
    """A measure of all counted calls in CPU seconds.

    Args:
        made: how often which call was made, as a recorder counts.
        curve: the one that all keys are on.
        exchanges: the protected ones; of the counted ciphers and MACs these are told apart by their bytes.
        hashed: the long contents that were hashed; all other hashes are short.

    Raises:
        AssertionError: fewer calls were counted than the wire and the files show: the counting is broken.
    """
    counts = Counter(made)
    counts["cipher"] -= sum(
        bool(part[0]) for one in exchanges for part in (one.command, one.answer)
    )
    counts["cmac"] -= sum(bool(part[1]) for one in exchanges for part in (one.command, one.answer))
    counts["hash"] -= len(hashed)
    missing = {name: count for name, count in counts.items() if count < 0}
    if missing:
        raise AssertionError(f"fewer calls were counted than were made: {missing}")
    calls = _Bare(curve).calls()
    work = [calls[name] for name, count in counts.items() for _ in range(count)]
    symmetric = cipher_and_mac(exchanges)

    def measure() -> float:
        begin = time.thread_time()
        for call in work:
            call()
        symmetric()
        for content in hashed:
            hashlib.sha256(content).digest()
        return time.thread_time() - begin

    return measure
