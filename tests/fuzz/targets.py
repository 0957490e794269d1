"""What is fuzzed: everything that reads bytes from a card, a list or a file, and what it may raise."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from card_layout import tlv
from card_layout.atr import read_life_cycle
from card_layout.errors import CardError
from card_layout.files.image_header import read_image_header
from card_layout.files.registry import FILE_TYPES, decode_file
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.secure_messaging import SecureMessagingSession
from card_layout.mrz import MachineReadableZone
from card_layout.protocols.file_reading import MAX_FILE_BYTES
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.request import read_request
from pki.certificates.certificate import load_certificate, load_certificate_list
from pki.certificates.lint.linter import lint
from pki.errors import PkiError
from pki.signed.authorisation import BatchAuthorisation
from pki.signed.chip_keys import SealedChipKeys
from pki.signed.master_list import MasterList
from pki.signed.security_object import SecurityObject
from pki.signed.status_list import StatusList
from pki.signed.status_list_delta import StatusListDelta
from pki.signed.stop_list import StopList
from verifier.errors import VerifierError
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.transcript_file import Transcript

__all__ = ["TARGETS", "Target"]

MAX_BYTES: Final = 64 * 1024
_KEY: Final = bytes(range(16))
_NAMES: Final = tuple(FILE_TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader of bytes.

    Attributes:
        read: reads; whatever else than ``refusals`` it raises is a fault.
        refusals: how it may say no.
    """

    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]

    def try_on(self, data: bytes) -> bool:
        """Whether the bytes were accepted.

        Raises:
            Exception: a fault: neither accepted nor refused.
        """
        try:
            self.read(data)
        except self.refusals:
            return False
        return True


def _read_data_objects(data: bytes) -> None:
    parts = tlv.parse_all(data)
    if b"".join(tlv.encode(part.tag, part.value) for part in parts) != data:
        raise AssertionError("what was read is not written back alike")


def _read_card_file(data: bytes) -> None:
    """The first byte says which file the others are."""
    name = _NAMES[data[0] % len(_NAMES)] if data else _NAMES[0]
    content = data[1 : 1 + MAX_FILE_BYTES]
    if decode_file(name, content).to_bytes() != content:
        raise AssertionError(f"{name} is not written back alike")


def _read_answer(data: bytes) -> None:
    """An answer in a session, whose keys the card cannot know here: it must be refused, whatever it is."""
    session = SecureMessagingSession(_KEY, _KEY)
    session.wrap(CommandApdu(cla=0, ins=0xB0, p1=0, p2=0, expected_length=256))
    session.unwrap(ResponseApdu.from_bytes(data))
    raise AssertionError("an answer without the session's keys was accepted")


def _read_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def _read_mrz(data: bytes) -> None:
    text = data.decode("latin-1")
    if MachineReadableZone.from_text(text).to_text() != text:
        raise AssertionError("a machine-readable zone is not written back alike")


_CARD: Final = (CardError,)
_PKI: Final = (PkiError,)

TARGETS: Final[Mapping[str, Target]] = {
    "tlv": Target(read=_read_data_objects, refusals=_CARD),
    "card-file": Target(read=_read_card_file, refusals=_CARD),
    "security-object": Target(read=SecurityObject.from_bytes, refusals=_PKI),
    "certificate": Target(read=load_certificate, refusals=_PKI),
    "certificate-list": Target(read=load_certificate_list, refusals=_PKI),
    "lint": Target(read=lint, refusals=()),
    "card-verifiable": Target(read=CvCertificate.from_bytes, refusals=(*_PKI, *_CARD)),
    "terminal-request": Target(read=read_request, refusals=(*_PKI, *_CARD)),
    "secure-messaging": Target(read=_read_answer, refusals=_CARD),
    "image-header": Target(read=read_image_header, refusals=_CARD),
    "answer-to-reset": Target(read=read_life_cycle, refusals=_CARD),
    "machine-readable-zone": Target(read=_read_mrz, refusals=_CARD),
    "master-list": Target(read=MasterList.read_unproven, refusals=_PKI),
    "stop-list": Target(read=StopList.read_unproven, refusals=_PKI),
    "status-list": Target(read=StatusList.read_unproven, refusals=_PKI),
    "status-list-delta": Target(read=StatusListDelta.from_bytes, refusals=_PKI),
    "batch-authorisation": Target(read=BatchAuthorisation.from_bytes, refusals=_PKI),
    "sealed-chip-keys": Target(read=SealedChipKeys.from_bytes, refusals=_PKI),
    "snapshot": Target(
        read=_read_text(CardSnapshot.from_json), refusals=(VerifierError, json.JSONDecodeError)
    ),
    "transcript": Target(read=_read_text(Transcript.from_text), refusals=(VerifierError,)),
}
"""Every target by its name; each has a folder of that name in ``corpus``."""
