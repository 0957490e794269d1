"""What goes over the signer's socket: frames of JSON, version 1, every size bounded (docs/signer-protocol.md).

Both ends read with this module. Whatever a peer sends ends in a value or in ``ProtocolError``.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

from pki.keys.algorithms import HashAlgorithm
from pki.record.transparency_proof import MAX_PROOF_BYTES
from pki.services.document_signer import SigningRequest
from pki.services.journal_head_state import NotedHead
from pki.services.journal_heads import JOURNAL_BYTES, MAX_SEQUENCE
from pki.services.wrapping import WrappingRequest
from pki.signed.authorisation import BATCH_BYTES, MAX_AUTHORISATION_BYTES, MAX_CARDS
from pki.signed.chip_keys import MAX_CHIPS
from pki.signed.security_object import StatusReference
from pki.signer_service.frames import (
    VERSION,
    ProtocolError,
    dump,
    load,
    load_answer,
    read_number,
    read_octets,
    read_text,
    require_members,
)
from pki.signer_service.status_protocol import (
    MEMBERS,
    OPERATION,
    IssueStatusRequest,
    read_issue_status,
)

__all__ = [
    "MAX_ANSWER_BYTES",
    "MAX_CARDS_IN_REQUEST",
    "MAX_CV_REQUEST_BYTES",
    "MAX_REQUEST_BYTES",
    "AuthoriseRequest",
    "AuthorisedAnswer",
    "NoteHeadRequest",
    "RenewRequest",
    "SignRequest",
    "WrapRequest",
    "read_noted",
    "read_renewed",
    "read_request",
    "read_signed",
    "read_wrapped",
    "write_noted",
    "write_renewed",
    "write_signed",
    "write_wrapped",
]

MAX_REQUEST_BYTES: Final = 2 * 1024 * 1024
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
MAX_CARDS_IN_REQUEST: Final = 500
MAX_CV_REQUEST_BYTES: Final = 8192

_MAX_FILE_HASHES: Final = 16
_MAX_DIGEST_BYTES: Final = 64
_CARD_MEMBERS: Final = 6
_FIRST_SECOND: Final = 946_684_800
_LAST_SECOND: Final = 4_102_444_800
"""2000-01-01 and 2100-01-01: a time outside is none of ours, and needs no calendar arithmetic to be refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoriseRequest:
    """Present a batch authorisation: the bytes of its file."""

    authorisation: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """The content of the frame."""
        return dump(
            {"operation": "authorise", "authorisation": self.authorisation.decode("latin-1")}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignRequest:
    """Have cards signed against an accepted batch (16 bytes): all of them or none."""

    batch: bytes
    cards: Sequence[SigningRequest] = field(repr=False)

    def to_bytes(self) -> bytes:
        """The content of the frame."""
        return dump(
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
        return dump({"operation": "renew", "request": self.request.hex()})


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteHeadRequest:
    """Have the head of another program's journal taken into the transparency log."""

    head: NotedHead

    def to_bytes(self) -> bytes:
        """The content of the frame."""
        return dump(
            {
                "operation": "note-head",
                "journal": self.head.journal.hex(),
                "sequence": self.head.sequence,
                "head": self.head.digest.hex(),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapRequest:
    """Have the keys of chips sealed to a station against an accepted batch: all of them or none."""

    wrapping: WrappingRequest

    def to_bytes(self) -> bytes:
        """The content of the frame."""
        return dump(
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
        return dump(
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
        found = load_answer(content, {"batch", "signer", "cards", "signed", "hash", "certificate"})
        name = read_text(found["hash"], "hash")
        if name not in HashAlgorithm.__members__:
            raise ProtocolError(
                f"hash is {name[:20]!r}, expected {list(HashAlgorithm.__members__)}"
            )
        return cls(
            batch=read_octets(found["batch"], "batch", BATCH_BYTES),
            signer_id=read_text(found["signer"], "signer"),
            cards=read_number(found["cards"], "cards", 1, MAX_CARDS),
            signed=read_number(found["signed"], "signed", 0, MAX_CARDS),
            hash_algorithm=HashAlgorithm[name],
            certificate=read_octets(found["certificate"], "certificate", None),
        )


def read_request(
    content: bytes,
) -> (
    AuthoriseRequest
    | SignRequest
    | RenewRequest
    | WrapRequest
    | NoteHeadRequest
    | IssueStatusRequest
):
    """Read what a client sent.

    Raises:
        ProtocolError: ``protocol.malformed``, ``protocol.version``, ``protocol.unknown-operation``.
    """
    found = load(content)
    operation = found.get("operation")
    if operation == "sign":
        require_members(found, {"version", "operation", "batch", "cards"})
        cards = found["cards"]
        if not isinstance(cards, list) or not 1 <= len(cards) <= MAX_CARDS_IN_REQUEST:
            raise ProtocolError(f"cards are no list of 1 to {MAX_CARDS_IN_REQUEST}")
        return SignRequest(
            batch=read_octets(found["batch"], "batch", BATCH_BYTES),
            cards=[_card(card) for card in cards],
        )
    if operation == "authorise":
        require_members(found, {"version", "operation", "authorisation"})
        text = found["authorisation"]
        if not isinstance(text, str) or len(text) > MAX_AUTHORISATION_BYTES or not text.isascii():
            raise ProtocolError("authorisation is no ASCII text of bounded length")
        return AuthoriseRequest(authorisation=text.encode("ascii"))
    if operation == "renew":
        require_members(found, {"version", "operation", "request"})
        request = read_octets(found["request"], "request", None)
        if not 1 <= len(request) <= MAX_CV_REQUEST_BYTES:
            raise ProtocolError(f"request has not 1 to {MAX_CV_REQUEST_BYTES} bytes")
        return RenewRequest(request=request)
    if operation == "wrap":
        require_members(found, {"version", "operation", "batch", "station", "chips", "transport"})
        return WrapRequest(wrapping=_wrapping(found))
    if operation == "note-head":
        require_members(found, {"version", "operation", "journal", "sequence", "head"})
        return NoteHeadRequest(
            head=NotedHead(
                journal=read_octets(found["journal"], "journal", JOURNAL_BYTES),
                sequence=read_number(found["sequence"], "sequence", 1, MAX_SEQUENCE),
                digest=read_octets(found["head"], "head", 32),
            )
        )
    if operation == OPERATION:
        require_members(found, set(MEMBERS))
        return read_issue_status(found)
    raise ProtocolError(
        "operation is not known, expected authorise, sign, renew, wrap, note-head or issue-status",
        code="protocol.unknown-operation",
    )


def write_renewed(certificate: bytes) -> bytes:
    """The content of the answer to a renew request."""
    return dump({"certificate": certificate.hex()})


def read_renewed(content: bytes) -> bytes:
    """The CV certificate in an answer.

    Raises:
        ProtocolError: ``protocol.malformed``, ``protocol.version``.
        PkiError: the signer answered with this error.
    """
    return read_octets(load_answer(content, {"certificate"})["certificate"], "certificate", None)


def write_noted(proof: bytes) -> bytes:
    """The content of the answer to a note-head request: a proof as ``InclusionProof`` writes it."""
    return dump({"proof": proof.decode("utf-8")})


def read_noted(content: bytes) -> bytes:
    """The proof in an answer, which is still to be read and checked.

    Raises:
        ProtocolError: ``protocol.malformed``, ``protocol.version``.
        PkiError: the signer answered with this error.
    """
    proof = load_answer(content, {"proof"})["proof"]
    if not isinstance(proof, str) or len(proof) > MAX_PROOF_BYTES:
        raise ProtocolError(f"proof is no text of at most {MAX_PROOF_BYTES} characters")
    try:
        return proof.encode()
    except UnicodeEncodeError as error:
        raise ProtocolError("proof is no text") from error


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
    signed = load_answer(content, {"signed"})["signed"]
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
    return dump({"sealed": b2a_base64(sealed, newline=False).decode("ascii")})


def read_wrapped(content: bytes) -> bytes:
    """The sealed keys in an answer.

    Raises:
        ProtocolError: ``protocol.malformed``, ``protocol.version``.
        PkiError: the signer answered with this error.
    """
    sealed = load_answer(content, {"sealed"})["sealed"]
    try:
        return a2b_base64(sealed, strict_mode=True)
    except (Base64Error, TypeError, ValueError) as error:
        raise ProtocolError("sealed keys are not base64") from error


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
        number = read_number(pair[0], "data group number", 1, _MAX_FILE_HASHES)
        if number in file_hashes:
            raise ProtocolError(f"data group {number} stands twice")
        file_hashes[number] = read_octets(pair[1], "digest", None)
    if reason is not None:
        read_text(reason, "reason")
    return SigningRequest(
        reference=read_octets(reference, "reference", 16),
        file_hashes=file_hashes,
        status_reference=StatusReference(
            list_id=read_octets(list_id, "status list", 8),
            index=read_number(index, "status index", 0, 0xFFFFFFFF),
        ),
        signing_time=datetime.fromtimestamp(
            read_number(seconds, "signing time", _FIRST_SECOND, _LAST_SECOND), UTC
        ),
        re_signing_of=reason,
    )


def _wrapping(found: Mapping[str, Any]) -> WrappingRequest:
    chips, transport = found["chips"], found["transport"]
    if not isinstance(chips, list) or not 1 <= len(chips) <= MAX_CHIPS:
        raise ProtocolError(f"chips are no list of 1 to {MAX_CHIPS}")
    return WrappingRequest(
        batch=read_octets(found["batch"], "batch", BATCH_BYTES),
        station=read_octets(found["station"], "station", None),
        serials=[read_octets(each, "chip", 10) for each in chips],
        transport=None if transport is None else read_number(transport, "transport", 1, 255),
    )
