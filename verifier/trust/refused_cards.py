"""What was read of refused cards, kept for a dispute: sealed to the inspection office, readable for nobody at the terminal.

A file holds the snapshot, what it was judged by and when, and the report; it is CMS AuthEnvelopedData to the certificate of
the office (SPEC.md, 7.14). Who opens it judges the snapshot again and compares.
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from pki.durable import create_file
from pki.errors import PkiError
from pki.signed.sealed_envelope import sealed_to, unsealed
from verifier.errors import VerifierError
from verifier.inspection.snapshot import CardSnapshot

__all__ = [
    "InspectionOffice",
    "RefusedCard",
    "RefusedCardError",
    "RefusedCards",
    "create_office",
    "is_sealed",
]

MAX_REFUSED_BYTES: Final = 6 * 1024 * 1024

_FORMAT: Final = 1
_SUFFIX: Final = ".refused"
_NAME: Final = re.compile(r"([0-9]{8}T[0-9]{6}Z)-[0-9a-f]{16}\.refused")
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_KEYS: Final = {"format", "judged_at", "purpose", "bundle", "report", "snapshot"}
_SIGNATURE: Final = "signature"
_MAX_HEADERS: Final = 8
_MAX_NAME_CHARACTERS: Final = 64
_MAX_KEY_BYTES: Final = 16384
_OFFICE_DAYS: Final = 3650
_DER_SEQUENCE: Final = 0x30


class RefusedCardError(VerifierError):
    """What is kept of a refused card cannot be written, opened or read."""

    default_code = "refused-card.malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCard:
    """One refused card: what was read, by which bundle (SHA-256, ``None`` without one) and for what it was judged.

    ``signature`` is the terminal's, where it has a key (verifier.trust.signed_evidence): headers of a signed request.
    """

    judged_at: datetime
    purpose: str | None
    bundle: str | None
    report: Mapping[str, Any] = field(repr=False)
    snapshot: CardSnapshot = field(repr=False)
    signature: Mapping[str, str] | None = field(default=None, repr=False)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what came out of a seal.

        Raises:
            RefusedCardError: it is none.
            SnapshotError: the snapshot in it is none.
        """
        try:
            found = json.loads(data)
            if set(found) - {_SIGNATURE} != _KEYS or found["format"] != _FORMAT:
                raise RefusedCardError(f"it is not of format {_FORMAT}")
            judged_at = datetime.fromisoformat(found["judged_at"])
            result = cls(
                judged_at=judged_at.astimezone(UTC),
                purpose=_text_or_none(found["purpose"]),
                bundle=_text_or_none(found["bundle"]),
                report=dict(found["report"]),
                snapshot=CardSnapshot.from_json(found["snapshot"]),
                signature=_headers_or_none(found.get(_SIGNATURE)),
            )
        except (ValueError, OverflowError, TypeError, KeyError, RecursionError) as error:
            raise RefusedCardError("it is not as a terminal writes it") from error
        if judged_at.tzinfo is None:
            raise RefusedCardError("its time has no time zone")
        return result

    def to_bytes(self) -> bytes:
        """What is sealed."""
        document = self._document()
        if self.signature is not None:
            document[_SIGNATURE] = dict(self.signature)
        return _encoded(document)

    def signed_bytes(self) -> bytes:
        """What a terminal signs: all but its signature."""
        return _encoded(self._document())

    def _document(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "judged_at": self.judged_at.isoformat(),
            "purpose": self.purpose,
            "bundle": self.bundle,
            "report": dict(self.report),
            "snapshot": self.snapshot.to_json(),
        }

    def differences_to(self, report: Mapping[str, Any]) -> tuple[str, ...]:
        """What a report of now says otherwise than that of then; how long things took does not count."""
        then, now = (_comparable(item) for item in (self.report, report))
        return tuple(
            f"{key}: {_short(then.get(key))} then, {_short(now.get(key))} now"
            for key in sorted(then.keys() | now.keys())
            if then.get(key) != now.get(key)
        )


class RefusedCards:
    """The refused cards that a terminal keeps in a directory, sealed to one office."""

    def __init__(self, directory: Path, *, certificate: bytes) -> None:
        self._directory = directory
        self._certificate = certificate

    @classmethod
    def open(cls, directory: Path, certificate_file: Path) -> Self:
        """Take the office's certificate (DER or PEM).

        Raises:
            RefusedCardError: ``refused-card.office``.
        """
        try:
            with certificate_file.open("rb") as file:
                data = file.read(_MAX_KEY_BYTES)
            certificate = _der(data)
            # Found out before the first card is refused.
            sealed_to(certificate, b"", random_bytes=secrets.token_bytes)
        except (OSError, ValueError, PkiError) as error:
            raise RefusedCardError(
                f"{certificate_file} is no certificate that anything can be sealed to",
                code="refused-card.office",
                hint="`membercard-verifier office create` makes one",
            ) from error
        return cls(directory, certificate=certificate)

    def keep(self, card: RefusedCard) -> Path:
        """Seal one and write it; gives the file.

        Raises:
            RefusedCardError: ``refused-card.unwritable``.
        """
        stamp = card.judged_at.astimezone(UTC).strftime(_STAMP)
        path = self._directory / f"{stamp}-{secrets.token_hex(8)}{_SUFFIX}"
        try:
            sealed = sealed_to(self._certificate, card.to_bytes(), random_bytes=secrets.token_bytes)
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            create_file(path, sealed)
        except (OSError, PkiError) as error:
            raise RefusedCardError(
                f"a refused card could not be kept in {self._directory}",
                code="refused-card.unwritable",
                hint="is the disk full, or the directory not this user's?",
            ) from error
        return path

    def drop_older_than(self, days: int, *, now: datetime, told: datetime) -> int:
        """Remove what is older by the time that is surely past (``now``); gives how many.

        What bears a time that even the clock has not come to (``told``) was named when it was wrong; it counts as of today.
        """
        today = told.astimezone(UTC).strftime(_STAMP)
        limit = (now.astimezone(UTC) - timedelta(days=days)).strftime(_STAMP)
        count = 0
        # Listed first: what is named anew here must not be met again.
        for path in sorted(self._directory.glob(f"*{_SUFFIX}")):
            match = _NAME.fullmatch(path.name)
            if match is None:
                continue
            if match[1] < limit:
                path.unlink(missing_ok=True)
                count += 1
            elif match[1] > today:
                path.rename(path.with_name(today + path.name[len(today) :]))
        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionOffice:
    """Who opens what terminals have sealed."""

    certificate: bytes = field(repr=False)
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def read(cls, key_file: Path, certificate_file: Path, *, pin: str) -> Self:
        """The office's own files.

        Raises:
            RefusedCardError: ``refused-card.office``.
        """
        try:
            with key_file.open("rb") as file:
                key = load_pem_private_key(file.read(_MAX_KEY_BYTES), password=pin.encode())
            with certificate_file.open("rb") as file:
                certificate = _der(file.read(_MAX_KEY_BYTES))
        except (OSError, ValueError, TypeError) as error:
            raise _no_office(key_file) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise _no_office(key_file)
        return cls(certificate=certificate, _key=key)

    def open(self, sealed: bytes) -> RefusedCard:
        """Open one.

        Raises:
            RefusedCardError: ``refused-card.sealed-to-another``, ``refused-card.malformed``.
        """
        try:
            content = unsealed(
                sealed,
                own_certificate=self.certificate,
                agree=lambda public: self._key.exchange(ec.ECDH(), public),
            )
        except (PkiError, ValueError) as error:
            is_other = isinstance(error, PkiError) and error.code.endswith("other-receiver")
            raise RefusedCardError(
                "the file is sealed to another office" if is_other else "the seal does not hold",
                code="refused-card.sealed-to-another" if is_other else None,
            ) from error
        return RefusedCard.from_bytes(content)


def create_office(name: str, *, pin: str, now: datetime) -> tuple[bytes, bytes]:
    """A key of an office, encrypted under a PIN (PEM), and the certificate that terminals are given (DER).

    Nobody judges the certificate: it carries the key to terminals, whose administrators are told whose it is.

    Raises:
        RefusedCardError: ``refused-card.office``: the name is none.
    """
    if not (1 <= len(name) <= _MAX_NAME_CHARACTERS and name.isprintable()):
        raise RefusedCardError(
            f"the office's name has {len(name)} characters, expected 1 to {_MAX_NAME_CHARACTERS} printable ones",
            code="refused-card.office",
        )
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=_OFFICE_DAYS))
        .sign(key, hashes.SHA256())
    )
    content = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(pin.encode())
    )
    return content, certificate.public_bytes(Encoding.DER)


def is_sealed(data: bytes) -> bool:
    """Whether a file may be a sealed one: everything else that can be replayed is text."""
    return data[:1] == bytes((_DER_SEQUENCE,))


def _comparable(report: Mapping[str, Any]) -> dict[str, Any]:
    # A clock that was behind is told of at the terminal; the time that it judged at is in the file.
    notes = [note for note in report.get("notes", ()) if note != "clock.rolled-back"]
    return {key: value for key, value in report.items() if key != "timings"} | {"notes": notes}


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _headers_or_none(value: object) -> Mapping[str, str] | None:
    if value is None:
        return None
    if (
        not isinstance(value, dict)
        or len(value) > _MAX_HEADERS
        or not all(isinstance(item, str) for item in value.values())
    ):
        raise TypeError(type(value).__name__)
    return value


def _text_or_none(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


def _der(data: bytes) -> bytes:
    if data.startswith(b"-----"):
        return x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)
    return data


def _no_office(path: Path) -> RefusedCardError:
    return RefusedCardError(
        f"{path} is no key of an inspection office, or the PIN is wrong",
        code="refused-card.office",
    )
