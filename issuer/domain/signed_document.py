"""The document of a decision: is it a PDF, and is there an electronic signature that speaks for all of it?

Looked at is the frame only (ISO 32000-1, 7.5 and 12.8): a signature names, in ``/ByteRange``, the two stretches of
the file that it speaks for, around the hexadecimal string that holds it. Whether the signature holds, and whose it
is, is not judged: the register has no anchors for the people who sign decisions, and says no more than it saw.
"""

import re
from typing import Final

from issuer.domain.decisions import DocumentSignature
from issuer.errors import IssuerDataError

__all__ = ["MAX_DOCUMENT_BYTES", "inspect_document"]

MAX_DOCUMENT_BYTES: Final = 16 << 20
"""The longest document that is kept; a scanned decision with its lists has a few megabytes."""

_HEADER: Final = re.compile(rb"%PDF-[12]\.[0-9][\r\n]")
_END: Final = b"%%EOF"
_END_WITHIN: Final = 1024
_MAX_SIGNATURES: Final = 64
_MIN_SIGNATURE_BYTES: Final = 64
_BYTE_RANGE: Final = re.compile(
    rb"/ByteRange\s{0,8}\[\s{0,8}(\d{1,10})\s{1,8}(\d{1,10})\s{1,8}(\d{1,10})\s{1,8}(\d{1,10})\s{0,8}\]"
)
_HEXADECIMAL: Final = re.compile(rb"[0-9A-Fa-f]+")


def inspect_document(content: bytes) -> DocumentSignature:
    """What can be seen of the signature of a PDF.

    Raises:
        IssuerDataError: it is too long (``document.too-large``) or no PDF (``document.no-pdf``).
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise IssuerDataError(
            f"the document has {len(content)} bytes, expected at most {MAX_DOCUMENT_BYTES}",
            code="document.too-large",
        )
    if not _HEADER.match(content) or _END not in content[-_END_WITHIN:]:
        raise IssuerDataError(
            f"the document of {len(content)} bytes is no whole PDF file", code="document.no-pdf"
        )
    seen = DocumentSignature.ABSENT
    for number, match in enumerate(_BYTE_RANGE.finditer(content)):
        if number == _MAX_SIGNATURES:
            break
        first, first_length, second, second_length = (int(each) for each in match.groups())
        if not _holds_a_signature(content[first + first_length : second]):
            continue
        if first == 0 and second + second_length == len(content):
            return DocumentSignature.PRESENT
        seen = DocumentSignature.PARTIAL
    return seen


def _holds_a_signature(hole: bytes) -> bool:
    """A hexadecimal string with the frame of one DER structure, as CMS is, and padding of zeros behind it."""
    if hole[:1] != b"<" or hole[-1:] != b">" or not _HEXADECIMAL.fullmatch(hole, 1, len(hole) - 1):
        return False
    digits = hole[1:-1]
    if len(digits) % 2 or len(digits) // 2 < _MIN_SIGNATURE_BYTES:
        return False
    der = bytes.fromhex(digits.decode("ascii"))
    size = der[1]
    header = 2
    if size >= 0x80:
        header = 2 + size - 0x80
        size = int.from_bytes(der[2:header], "big")
    return der[0] == 0x30 and header <= 6 and header + size <= len(der)
