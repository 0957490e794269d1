"""Inclusion proofs on disk: one file a signature, named by the SHA-256 hash of its signed attributes."""

from collections.abc import Callable
from pathlib import Path

from pki.record.transparency_proof import MAX_PROOF_BYTES
from verifier.errors import TrustError

__all__ = ["proof_in_file", "proofs_in"]


def proofs_in(directory: Path) -> Callable[[bytes], bytes | None]:
    """The proofs of a trust directory: ``<64 hexadecimal digits>.tlog-proof``; each is read when its card comes."""

    def find(digest: bytes) -> bytes | None:
        path = directory / f"{digest.hex()}.tlog-proof"
        return _read(path) if path.exists() else None

    return find


def proof_in_file(path: Path) -> Callable[[bytes], bytes | None]:
    """The proof that was brought for the card; whether it is the card's is for the inspection to say.

    Raises:
        TrustError: ``trust.malformed``: there is no such file.
    """
    content = _read(path)
    return lambda _: content


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise TrustError(f"{path}: is not a file", code="trust.malformed")
        with path.open("rb") as file:
            # One byte more, so that what is too long is refused and not cut.
            return file.read(MAX_PROOF_BYTES + 1)
    except OSError as error:
        raise TrustError(
            f"{path}: cannot be read ({error.strerror})", code="trust.malformed"
        ) from error
