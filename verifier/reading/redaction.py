"""What a transcript may hold of a file's content: enough for the reading to take the same way, and nobody's data.

The redacted content is as long as the real one and leads the reading the same way: EF.DG14 keeps its protocols and
loses its keys, EF.SOD keeps the numbers that it lists and loses digests, times, references and its signature. Of
files with personal data only the first tag and length are left (docs/decisions/0028).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from card_layout import tlv
from card_layout.errors import CardDataError
from card_layout.files.atr_info import AtrInfo
from card_layout.files.card_access import CardAccess
from card_layout.files.common_data import CommonData
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.data_group_15 import ActiveAuthenticationKey
from card_layout.files.security_infos import SecurityInfos
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.files.trust_points import TrustPoints
from card_layout.rsa import RsaPublicKey
from pki.errors import PkiError
from pki.signed.card_security import CardSecurityObject
from pki.signed.security_object import SecurityObject

__all__ = ["redact_content", "redact_stream"]

_MAX_HEADER_BYTES: Final = 6
_NO_OBJECT: Final = 0xFF
"""Fills what begins with no tag and length, so that it goes on doing so."""


def redact_content(name: str, content: bytes) -> bytes:
    """The content of a file that was read, as a transcript holds it; the same number of bytes."""
    redact = _OF_FILE.get(name)
    if redact is not None:
        try:
            redacted = redact(content)
        except (CardDataError, PkiError):
            redacted = b""
        if len(redacted) == len(content):
            return redacted
    return _frame(content)


def redact_stream(name: str, stream: bytes, content: bytes | None) -> bytes:
    """All bytes that a card gave of one file, in their order; ``content`` is the file where it was read."""
    if content is not None and stream[: len(content)] == content:
        rest = len(stream) - len(content)
        return redact_content(name, content) + bytes(rest)
    return _frame(stream)


def _frame(content: bytes) -> bytes:
    """The first tag and length, and nothing else."""
    try:
        header = tlv.read_header(content[:_MAX_HEADER_BYTES])
    except CardDataError:
        return bytes([_NO_OBJECT]) * len(content)
    kept = min(header.size, len(content))
    return content[:kept] + bytes(len(content) - kept)


def _as_it_is(decode: Callable[[bytes], object]) -> Callable[[bytes], bytes]:
    """A file that says nothing about anybody, where it is what it should be."""

    def redact(content: bytes) -> bytes:
        decode(content)
        return content

    return redact


def _without_keys(infos: SecurityInfos, content: bytes) -> bytes:
    """Every chip key is replaced by the generator of its curve, which is a key of nobody's."""
    for info in infos.chip_authentication_keys:
        key = info.public_key
        content = content.replace(key.point, key.curve.generator)
    return content


def _security_options(content: bytes) -> bytes:
    redacted = _without_keys(SecurityOptions.from_bytes(content).security_infos, content)
    SecurityOptions.from_bytes(redacted)
    return redacted


def _card_security(content: bytes) -> bytes:
    signed = CardSecurityObject.from_bytes(content)
    redacted = _without_keys(SecurityInfos.from_bytes(signed.content), content)
    CardSecurityObject.from_bytes(redacted)
    return redacted


def _active_authentication_key(content: bytes) -> bytes:
    key = ActiveAuthenticationKey.from_bytes(content).public_key
    if isinstance(key, RsaPublicKey):
        modulus = key.modulus.to_bytes(key.size_bytes, "big")
        redacted = content.replace(modulus, b"\xff" * len(modulus))
    else:
        redacted = content.replace(key.point, key.curve.generator)
    ActiveAuthenticationKey.from_bytes(redacted)
    return redacted


def _security_object(content: bytes) -> bytes:
    security_object = _read_security_object(content)
    redacted = content
    for secret in (
        *security_object.file_hashes.values(),
        security_object.message_digest,
        security_object.signature,
    ):
        redacted = redacted.replace(secret, bytes(len(secret)))
    moment = security_object.signing_time
    if moment is not None:
        # The second at which a card was signed finds the card; its century does not.
        for pattern, unknown in (
            ("%y%m%d%H%M%SZ", b"000101000000Z"),
            ("%Y%m%d%H%M%SZ", b"20000101000000Z"),
        ):
            redacted = redacted.replace(moment.strftime(pattern).encode(), unknown)
    reference = security_object.status_reference
    if reference is not None:
        size = max(1, (reference.index.bit_length() + 8) // 8)
        number = reference.index.to_bytes(size, "big")
        redacted = redacted.replace(
            reference.list_id + bytes((2, size)) + number,
            bytes(8) + bytes((2, size)) + b"\x01" + bytes(size - 1),
        )
        redacted = redacted.replace(reference.list_id, bytes(8))
    _read_security_object(redacted)
    return redacted


def _read_security_object(content: bytes) -> SecurityObject:
    file = SecurityObjectFile.from_bytes(content)
    return SecurityObject.from_bytes(file.content_info, allow_others=True)


_OF_FILE: Final[Mapping[str, Callable[[bytes], bytes]]] = MappingProxyType(
    {
        "EF.CardAccess": _as_it_is(CardAccess.from_bytes),
        "EF.ATR/INFO": _as_it_is(AtrInfo.from_bytes),
        "EF.COM": _as_it_is(CommonData.from_bytes),
        "EF.CVCA": _as_it_is(TrustPoints.from_bytes),
        "EF.DG14": _security_options,
        "EF.DG15": _active_authentication_key,
        "EF.CardSecurity": _card_security,
        "EF.SOD": _security_object,
    }
)
