"""Which cryptography calls a piece of work makes, and what they cost when nothing else is done.

The calls are recorded while the work runs (with the arguments that they had), and then made again, bare, one behind
the other. So the baseline of a CPU figure is what was really computed, not what somebody thought was.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC

__all__ = ["CallCount", "bare_seconds", "record_calls"]

CallCount = Counter[str]
"""How often each call of ``_BARE`` was made; bytes are counted under ``aes-bytes``, ``cmac-bytes``, ``hash-bytes``."""

_NAMES = {
    ("ECPrivateKey", "exchange"): "ecdh",
    ("ECPrivateKey", "sign"): "ecdsa-sign",
    ("ECPublicKey", "verify"): "ecdsa-verify",
    ("EllipticCurvePublicNumbers", "public_key"): "point-check",
    ("CipherContext", "finalize"): "aes-cbc",
    ("CMAC", "copy"): "cmac",
    ("Hash", "finalize"): "hash",
}
_FUNCTIONS = {
    "derive_private_key": "ec-derive",
    "generate_private_key": "ec-generate",
    "create_encryption_ctx": "aes-context",
    "create_decryption_ctx": "aes-context",
}


@contextmanager
def record_calls() -> Iterator[CallCount]:
    """Count the cryptography calls that this thread makes inside the block."""
    counts: CallCount = Counter()

    def watch(_frame: FrameType, event: str, callee: Any) -> None:
        if event != "c_call":
            return
        owner = type(getattr(callee, "__self__", None)).__name__
        name = _NAMES.get((owner, callee.__name__)) or _FUNCTIONS.get(callee.__name__)
        if name is not None:
            counts[name] += 1
        elif callee.__name__ in {"openssl_sha256", "openssl_sha384", "openssl_sha1"}:
            counts["hash"] += 1

    previous = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield counts
    finally:
        sys.setprofile(previous)


class _Bare:
    """One way to make each call, everything around it prepared beforehand."""

    def __init__(self, curve: ec.EllipticCurve) -> None:
        self._curve = curve
        self._own = ec.derive_private_key(0x1234567890ABCDEF << 160, curve)
        self._other = ec.generate_private_key(curve).public_key()
        self._numbers = self._other.public_numbers()
        self._signature = self._own.sign(b"message", ec.ECDSA(hashes.SHA256()))
        self._public = self._own.public_key()
        self._aes = AES(bytes(16))
        self._ecb = Cipher(self._aes, ECB()).encryptor()  # noqa: S305 - as secure messaging computes its IV
        self._mac = CMAC(AES(bytes(16)))

    def calls(self) -> dict[str, Callable[[], object]]:
        return {
            "ecdh": lambda: self._own.exchange(ec.ECDH(), self._other),
            "ec-derive": lambda: ec.derive_private_key(0x1234567890ABCDEF << 160, self._curve),
            "ec-generate": lambda: ec.generate_private_key(self._curve),
            "point-check": self._numbers.public_key,
            "ecdsa-sign": lambda: self._own.sign(b"message", ec.ECDSA(hashes.SHA256())),
            "ecdsa-verify": lambda: self._public.verify(
                self._signature, b"message", ec.ECDSA(hashes.SHA256())
            ),
        }

    def symmetric(self, messages: list[tuple[int, int]]) -> None:
        """For each APDU pair: IV, AES-CBC and CMAC over that many bytes, each way."""
        for pair in messages:
            for size in pair:
                iv = self._ecb.update(bytes(16))
                if size:
                    cipher = Cipher(self._aes, CBC(iv)).encryptor()
                    cipher.update(bytes(-(-(size + 1) // 16) * 16))
                    cipher.finalize()
                mac = self._mac.copy()
                mac.update(bytes(32 + size))
                mac.finalize()


_ASYMMETRIC = ("ecdh", "ec-derive", "ec-generate", "point-check", "ecdsa-sign", "ecdsa-verify")


def bare_seconds(
    counts: CallCount,
    *,
    curve: ec.EllipticCurve,
    messages: list[tuple[int, int]],
    hashed_bytes: list[int],
) -> Callable[[], float]:
    """A measure of the counted asymmetric calls, the symmetric ones of ``messages`` and the hashes, in CPU seconds.

    ``messages`` are the plain bytes of command and answer of each protected APDU.
    """
    bare = _Bare(curve)
    work = [bare.calls()[name] for name in _ASYMMETRIC for _ in range(counts[name])]
    contents = [bytes(size) for size in hashed_bytes]

    def measure() -> float:
        begin = time.thread_time()
        for call in work:
            call()
        bare.symmetric(messages)
        for content in contents:
            digest = hashes.Hash(hashes.SHA256())
            digest.update(content)
            digest.finalize()
        return time.thread_time() - begin

    return measure
