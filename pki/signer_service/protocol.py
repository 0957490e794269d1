"""What goes over the signer's socket: frames of JSON, version 1, every size bounded (docs/signer-protocol.md).

Both ends read with this module. Whatever a peer sends ends in a value or in ``ProtocolError``.
"""

import json
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

from pki.errors import KeystoreError, PkiDataError, PkiError, PkiRefusedError, RecordError
from pki.keys.algorithms import HashAlgorithm
from pki.services.document_signer import SigningRequest
from pki.services.wrapping import WrappingRequest
from pki.signed.authorisation import BATCH_BYTES, MAX_AUTHORISATION_BYTES, MAX_CARDS
from pki.signed.chip_keys import MAX_CHIPS
from pki.signed.security_object import StatusReference

__all__ = [
    "LENGTH_BYTES",
    "MAX_ANSWER_BYTES",
    "MAX_CARDS_IN_REQUEST",
    "MAX_CV_REQUEST_BYTES",
    "MAX_REQUEST_BYTES",
    "VERSION",
    "AuthoriseRequest",
    "AuthorisedAnswer",
    "ProtocolError",
    "RenewRequest",
    "SignRequest",
    "WrapRequest",
    "frame",
    "frame_length",
    "read_error",
    "read_renewed",
    "read_request",
    "read_signed",
    "read_wrapped",
    "write_error",
    "write_renewed",
    "write_signed",
    "write_wrapped",
]

VERSION: Final = 1
LENGTH_BYTES: Final = 4
MAX_REQUEST_BYTES: Final = 2 * 1024 * 1024
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
MAX_CARDS_IN_REQUEST: Final = 500
MAX_CV_REQUEST_BYTES: Final = 8192

_MAX_FILE_HASHES: Final = 16
_MAX_DIGEST_BYTES: Final = 64
_MAX_TEXT_CHARACTERS: Final = 1000
_CARD_MEMBERS: Final = 6
_FIRST_SECOND: Final = 946_684_800
_LAST_SECOND: Final = 4_102_444_800
"""2000-01-01 and 2100-01-01: a time outside is none of ours, and needs no calendar arithmetic to be refused."""

_ERRORS: Final[Mapping[str, type[PkiError]]] = {
    "refused": PkiRefusedError,
    "data": PkiDataError,
    "keystore": KeystoreError,
    "record": RecordError,
}


class ProtocolError(PkiDataError):
    """A frame that the protocol does not know; the connection is of no use any more."""

    default_code = "protocol.malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoriseRequest:
    """Present a batch authorisation: the bytes of its file."""

    authorisation: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """The content of the frame."""
        return _dump(
            {"operation": "authorise", "authorisation": self.authorisation.decode("latin-1")}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignRequest:
    """Have cards signed against an accepted batch (16 bytes): all of them or none."""

    batch: bytes
    cards: Sequence[SigningRequest] = field(repr=False)

    def to_bytes(self) -> bytes:
        """The content of the frame."""
        return _dump(
            {
                "operation": "sign",
                "batch": self.batch.hex(),
                "cards": [
                    [
                        card.reference.hex(),
                        [[number, digest.hex()] for number, digest in card.file_hashes.items()],
                        card.status_reference.list_id.hex(),
                        card.status_reference.index,
                        int(card.signing_time.timestamp()),
                        card.re_signing_of,
                    ]
                    for card in self.cards
                ],
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewRequest:
    """Have a terminal's next key certified: a CV request that its current key vouches for (TR-03110-3, C.2)."""

    request: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """The content of the frame."""
        return _dump({"operation": "renew", "request": self.request.hex()})


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapRequest:
    """Have the keys of chips sealed to a station against an accepted batch: all of them or none."""

    wrapping: WrappingRequest

    def to_bytes(self) -> bytes:
        """The content of the frame."""
        return _dump(
            {
                "operation": "wrap",
                "batch": self.wrapping.batch.hex(),
                "station": self.wrapping.station.hex(),
                "chips": [serial.hex() for serial in self.wrapping.serials],
                "transport": self.wrapping.transport,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorisedAnswer:
    """What stands behind an accepted batch; ``cards`` may be signed, ``signed`` are."""

    batch: bytes
    signer_id: str
    cards: int
    signed: int
    hash_algorithm: HashAlgorithm
    certificate: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """The content of the frame."""
        return _dump(
            {
                "batch": self.batch.hex(),
                "signer": self.signer_id,
                "cards": self.cards,
                "signed": self.signed,
                "hash": self.hash_algorithm.name,
                "certificate": self.certificate.hex(),
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a frame.

        Raises:
            ProtocolError: ``protocol.malformed``, ``protocol.version``.
            PkiError: the signer answered with this error.
        """
        found = _load_answer(content, {"batch", "signer", "cards", "signed", "hash", "certificate"})
        name = _text(found["hash"], "hash")
        if name not in HashAlgorithm.__members__:
            raise ProtocolError(
                f"hash is {name[:20]!r}, expected {list(HashAlgorithm.__members__)}"
            )
        return cls(
            batch=_octets(found["batch"], "batch", BATCH_BYTES),
            signer_id=_text(found["signer"], "signer"),
            cards=_number(found["cards"], "cards", 1, MAX_CARDS),
            signed=_number(found["signed"], "signed", 0, MAX_CARDS),
            hash_algorithm=HashAlgorithm[name],
            certificate=_octets(found["certificate"], "certificate", None),
        )


def frame(content: bytes) -> bytes:
    """The content with its length before it."""
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def frame_length(head: bytes | bytearray, *, maximum: int) -> int:
    """The length in the first four bytes of a frame.

    Raises:
        ProtocolError: ``protocol.frame-length``: nothing, or more than the maximum.
    """
    length = int.from_bytes(head[:LENGTH_BYTES], "big")
    if not 1 <= length <= maximum:
        raise ProtocolError(
            f"frame has {length} bytes, expected 1 to {maximum}", code="protocol.frame-length"
        )
    return length


def read_request(content: bytes) -> AuthoriseRequest | SignRequest | RenewRequest | WrapRequest:
    """Read what a client sent.

    Raises:
        ProtocolError: ``protocol.malformed``, ``protocol.version``, ``protocol.unknown-operation``.
    """
    found = _load(content)
    operation = found.get("operation")
    if operation == "sign":
        _require_members(found, {"version", "operation", "batch", "cards"})
        cards = found["cards"]
        if not isinstance(cards, list) or not 1 <= len(cards) <= MAX_CARDS_IN_REQUEST:
            raise ProtocolError(f"cards are no list of 1 to {MAX_CARDS_IN_REQUEST}")
        return SignRequest(
            batch=_octets(found["batch"], "batch", BATCH_BYTES),
            cards=[_card(card) for card in cards],
        )
    if operation == "authorise":
        _require_members(found, {"version", "operation", "authorisation"})
        text = found["authorisation"]
        if not isinstance(text, str) or len(text) > MAX_AUTHORISATION_BYTES or not text.isascii():
            raise ProtocolError("authorisation is no ASCII text of bounded length")
        return AuthoriseRequest(authorisation=text.encode("ascii"))
    if operation == "renew":
        _require_members(found, {"version", "operation", "request"})
        request = _octets(found["request"], "request", None)
        if not 1 <= len(request) <= MAX_CV_REQUEST_BYTES:
            raise ProtocolError(f"request has not 1 to {MAX_CV_REQUEST_BYTES} bytes")
        return RenewRequest(request=request)
    if operation == "wrap":
        _require_members(found, {"version", "operation", "batch", "station", "chips", "transport"})
        return WrapRequest(wrapping=_wrapping(found))
    raise ProtocolError(
        "operation is not known, expected authorise, sign, renew or wrap",
        code="protocol.unknown-operation",
    )


def write_renewed(certificate: bytes) -> bytes:
    """The content of the answer to a renew request."""
    return _dump({"certificate": certificate.hex()})


def read_renewed(content: bytes) -> bytes:
    """The CV certificate in an answer.

    Raises:
        ProtocolError: ``protocol.malformed``, ``protocol.version``.
        PkiError: the signer answered with this error.
    """
    return _octets(_load_answer(content, {"certificate"})["certificate"], "certificate", None)


def write_signed(security_objects: Sequence[bytes]) -> bytes:
    """The content of the answer to a sign request."""
    # Base64 needs no escaping, so the JSON is put together without a second pass over megabytes.
    encoded = b'","'.join(b2a_base64(each, newline=False) for each in security_objects)
    return b'{"signed":["' + encoded + b'"],"version":%d}' % VERSION


def read_signed(content: bytes, *, expected: int) -> list[bytes]:
    """The security objects in an answer.

    Raises:
        ProtocolError: ``protocol.malformed``, ``protocol.version``.
        PkiError: the signer answered with this error.
    """
    signed = _load_answer(content, {"signed"})["signed"]
    if not isinstance(signed, list) or len(signed) != expected:
        raise ProtocolError(
            f"the answer has not the {expected} security objects that were asked for"
        )
    try:
        return [a2b_base64(each, strict_mode=True) for each in signed]
    except (Base64Error, TypeError, ValueError) as error:
        raise ProtocolError("a security object is not base64") from error


def write_wrapped(sealed: bytes) -> bytes:
    """The content of the answer to a wrap request."""
    return _dump({"sealed": b2a_base64(sealed, newline=False).decode("ascii")})


def read_wrapped(content: bytes) -> bytes:
    """The sealed keys in an answer.

    Raises:
        ProtocolError: ``protocol.malformed``, ``protocol.version``.
        PkiError: the signer answered with this error.
    """
    sealed = _load_answer(content, {"sealed"})["sealed"]
    try:
        return a2b_base64(sealed, strict_mode=True)
    except (Base64Error, TypeError, ValueError) as error:
        raise ProtocolError("sealed keys are not base64") from error


def write_error(error: PkiError) -> bytes:
    """The content of an answer that tells an error."""
    kind = next((name for name, each in _ERRORS.items() if isinstance(error, each)), "record")
    return _dump({"error": [kind, error.code, str(error)[:_MAX_TEXT_CHARACTERS], error.hint]})


def read_error(found: object) -> PkiError:
    """The error in an answer.

    Raises:
        ProtocolError: it is none.
    """
    match found:
        case [str(kind), str(code), str(message), str() | None as hint] if (
            kind in _ERRORS
            and max(len(code), len(message), len(hint or "")) <= _MAX_TEXT_CHARACTERS
        ):
            return _ERRORS[kind](message, code=code, hint=hint)
    raise ProtocolError("the answer tells an error that cannot be read")


def _card(found: object) -> SigningRequest:
    if not isinstance(found, list) or len(found) != _CARD_MEMBERS:
        raise ProtocolError(f"a card is no list of {_CARD_MEMBERS}")
    reference, hashes, list_id, index, seconds, reason = found
    if not isinstance(hashes, list) or not 1 <= len(hashes) <= _MAX_FILE_HASHES:
        raise ProtocolError(f"file hashes are no list of 1 to {_MAX_FILE_HASHES}")
    file_hashes: dict[int, bytes] = {}
    for pair in hashes:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ProtocolError("a file hash is no pair of number and digest")
        number = _number(pair[0], "data group number", 1, _MAX_FILE_HASHES)
        if number in file_hashes:
            raise ProtocolError(f"data group {number} stands twice")
        file_hashes[number] = _octets(pair[1], "digest", None)
    if reason is not None:
        _text(reason, "reason")
    return SigningRequest(
        reference=_octets(reference, "reference", 16),
        file_hashes=file_hashes,
        status_reference=StatusReference(
            list_id=_octets(list_id, "status list", 8),
            index=_number(index, "status index", 0, 0xFFFFFFFF),
        ),
        signing_time=datetime.fromtimestamp(
            _number(seconds, "signing time", _FIRST_SECOND, _LAST_SECOND), UTC
        ),
        re_signing_of=reason,
    )


def _wrapping(found: Mapping[str, Any]) -> WrappingRequest:
    chips, transport = found["chips"], found["transport"]
    if not isinstance(chips, list) or not 1 <= len(chips) <= MAX_CHIPS:
        raise ProtocolError(f"chips are no list of 1 to {MAX_CHIPS}")
    return WrappingRequest(
        batch=_octets(found["batch"], "batch", BATCH_BYTES),
        station=_octets(found["station"], "station", None),
        serials=[_octets(each, "chip", 10) for each in chips],
        transport=None if transport is None else _number(transport, "transport", 1, 255),
    )


def _load_answer(content: bytes, members: set[str]) -> dict[str, Any]:
    found = _load(content)
    if "error" in found:
        _require_members(found, {"version", "error"})
        raise read_error(found["error"])
    _require_members(found, {"version"} | members)
    return found


def _load(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise ProtocolError("frame is not JSON as it must be") from error
    if not isinstance(found, dict):
        raise ProtocolError("frame is no JSON object")
    if found.get("version") != VERSION or type(found["version"]) is not int:
        raise ProtocolError(f"version of the protocol is not {VERSION}", code="protocol.version")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ProtocolError("a member stands twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ProtocolError(f"{name} is no number of JSON")


def _require_members(found: Mapping[str, Any], members: set[str]) -> None:
    if set(found) != members:
        raise ProtocolError(f"frame has not the members {sorted(members)}")


def _octets(value: object, name: str, length: int | None) -> bytes:
    """Hexadecimal in lower case."""
    if not isinstance(value, str) or (length is not None and len(value) != 2 * length):
        raise ProtocolError(f"{name} is no hexadecimal text of the right length")
    try:
        octets = bytes.fromhex(value)
    except ValueError as error:
        raise ProtocolError(f"{name} is not hexadecimal") from error
    if octets.hex() != value:
        raise ProtocolError(f"{name} is not hexadecimal in lower case without spaces")
    return octets


def _number(value: object, name: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ProtocolError(f"{name} is no whole number from {least} to {most}")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT_CHARACTERS:
        raise ProtocolError(f"{name} is no text of at most {_MAX_TEXT_CHARACTERS} characters")
    return value


def _dump(content: dict[str, Any]) -> bytes:
    return json.dumps(
        content | {"version": VERSION}, sort_keys=True, separators=(",", ":"), ensure_ascii=True
    ).encode()
