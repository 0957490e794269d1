"""The content of a security object: ``LDSSecurityObject`` with the digests of the files (Doc 9303-10, 4.6.2.3)."""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from cryptography.hazmat import asn1

from pki.keys.algorithms import HashAlgorithm
from pki.keys.other_algorithms import Digest
from pki.signed.decoding import (
    SecurityObjectError,
    algorithm_identifier,
    decode,
    read_any_hash_algorithm,
    read_hash_algorithm,
)
from pki.signed.structures import DataGroupHash, LdsSecurityObject, LdsVersionInfo

__all__ = ["LdsContent", "LdsVersion", "encode_content", "parse_content"]

_LDS_VERSION = "0108"
_UNICODE_VERSION = "040000"
"""The versions that EF.COM states as well (SPEC.md, 3.5)."""


class LdsVersion(Enum):
    """The version of the structure; version 1 repeats in it what EF.COM states, and so signs it."""

    V0 = 0
    V1 = 1

    @property
    def stated(self) -> tuple[str, str] | None:
        """The versions of LDS and Unicode that it signs; ``None`` where it signs none."""
        return (_LDS_VERSION, _UNICODE_VERSION) if self is LdsVersion.V1 else None


class LdsContent(NamedTuple):
    """What a well-formed ``LDSSecurityObject`` says: the hash of the files, and their digests by data group number."""

    version: LdsVersion
    hash_algorithm: Digest
    file_hashes: dict[int, bytes]


def encode_content(
    file_hashes: Mapping[int, bytes], hash_algorithm: HashAlgorithm, version: LdsVersion
) -> bytes:
    """The DER ``LDSSecurityObject``; the caller has checked numbers and digests."""
    info = LdsVersionInfo(
        lds_version=asn1.PrintableString(_LDS_VERSION),
        unicode_version=asn1.PrintableString(_UNICODE_VERSION),
    )
    return asn1.encode_der(
        LdsSecurityObject(
            version=version.value,
            hash_algorithm=algorithm_identifier(hash_algorithm.oid),
            hashes=[
                DataGroupHash(number=number, digest=digest)
                for number, digest in sorted(file_hashes.items())
            ],
            version_info=info if version is LdsVersion.V1 else None,
        )
    )


def parse_content(content: bytes, signed_hash: Digest, *, allow_others: bool = False) -> LdsContent:
    """Read the content, of whichever version; its data groups stand in any order (Doc 9303-10, 4.6.2.3 fixes none).

    The hash of the files is the one that is signed, unless ``allow_others``: Doc 9303 does not want it to be.

    Raises:
        SecurityObjectError: with the codes of SPEC.md, 9.3.
    """
    lds = decode(LdsSecurityObject, content, "LDSSecurityObject")
    _check_version(lds)
    read = read_any_hash_algorithm if allow_others else read_hash_algorithm
    hash_algorithm = read("hash algorithm of LDSSecurityObject", lds.hash_algorithm)
    if hash_algorithm is not signed_hash and not allow_others:
        raise SecurityObjectError(
            f"hash algorithm of LDSSecurityObject is {hash_algorithm.name}, expected {signed_hash.name}"
        )
    if not 2 <= len(lds.hashes) <= 16:
        raise SecurityObjectError(
            f"LDSSecurityObject lists {len(lds.hashes)} data groups, expected 2 to 16"
        )
    numbers = [item.number for item in lds.hashes]
    for item in lds.hashes:
        if not 1 <= item.number <= 16:
            raise SecurityObjectError(f"data group number is {item.number}, expected 1 to 16")
        if len(item.digest) != hash_algorithm.digest_bytes:
            raise SecurityObjectError(
                f"hash of data group {item.number} has {len(item.digest)} bytes, "
                f"expected {hash_algorithm.digest_bytes}"
            )
    if len(set(numbers)) != len(numbers):
        raise SecurityObjectError(
            f"data group numbers {numbers} are not unique", code="security-object.duplicate-group"
        )
    return LdsContent(
        version=LdsVersion(lds.version),
        hash_algorithm=hash_algorithm,
        file_hashes={item.number: item.digest for item in lds.hashes},
    )


def _check_version(lds: LdsSecurityObject) -> None:
    """Version 1 carries version information, version 0 must not."""
    info = lds.version_info
    if info is None:
        if lds.version != 0:
            raise SecurityObjectError(
                f"LDSSecurityObject has version {lds.version:x} without version information, expected 0"
            )
        return
    texts = (info.lds_version.as_str(), info.unicode_version.as_str())
    if lds.version != 1 or texts != (_LDS_VERSION, _UNICODE_VERSION):
        raise SecurityObjectError(
            f"LDSSecurityObject has version {lds.version:x} with version information "
            f"{[text[:16] for text in texts]}, expected 1 with {[_LDS_VERSION, _UNICODE_VERSION]}"
        )
