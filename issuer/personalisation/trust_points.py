"""The shelf of trust points: the CVCA certificates that new cards are to trust (SPEC.md 8.3 and 10).

``trust-points/NAME.cvcert`` in the issuer's home. A card gets the two newest that are valid, by the reference that
its contents name; older ones stay on the shelf for the cards that were signed with them.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from pki.card_verifiable.authorisation import TerminalType
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.chain import JudgedCertificate
from pki.card_verifiable.structure import MAX_ENCODED_BYTES
from pki.durable import replace_file

__all__ = ["TrustPointShelf"]

_SUFFIX = ".cvcert"
_MAX_ON_SHELF = 64
_MAX_ON_CARD = 2


@dataclass(frozen=True, slots=True)
class TrustPointShelf:
    """One directory; it need not exist yet."""

    directory: Path

    def add(self, path: Path, *, today: date) -> CvCertificate:
        """Take in a CVCA's self-signed certificate; taking it once more changes nothing.

        Raises:
            IssuerUnavailableError: a file cannot be read or written (``trust-point.unavailable``).
            IssuerRefusedError: the CVCA is another than before (``trust-point.other-holder``), or certifies other
                terminals than inspection systems (``trust-point.other-type``).
            PkiError: it is no self-signed certificate of a CVCA that is valid today.
        """
        certificate = CvCertificate.from_bytes(_read(path))
        JudgedCertificate.trusted(certificate, on=today)
        body = certificate.body
        if body.authorisation.terminal_type is not TerminalType.INSPECTION_SYSTEM:
            raise IssuerRefusedError(
                f"{body.holder_reference.text} certifies {body.authorisation.terminal_type.label}s, "
                f"expected {TerminalType.INSPECTION_SYSTEM.label}s",
                code="trust-point.other-type",
            )
        held = self.held()
        for other in held:
            if other.body.holder_reference.holder != body.holder_reference.holder or (
                other.body.holder_reference == body.holder_reference and other != certificate
            ):
                raise IssuerRefusedError(
                    f"got {body.holder_reference.text}, and cards trust {other.body.holder_reference.text}",
                    code="trust-point.other-holder",
                    hint=f"if that is meant, empty {self.directory} first",
                )
        if certificate not in held:
            try:
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                name = f"{body.holder_reference.text}{_SUFFIX}"
                replace_file(self.directory / name, certificate.to_bytes(), mode=0o600)
            except OSError as error:
                raise _unavailable(self.directory, error) from error
        return certificate

    def held(self) -> tuple[CvCertificate, ...]:
        """Every certificate on the shelf, the newest first.

        Raises:
            IssuerUnavailableError: it cannot be read (``trust-point.unavailable``).
            PkiError: a file on it is no certificate.
        """
        try:
            paths = [path for path in self.directory.iterdir() if path.suffix == _SUFFIX]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise _unavailable(self.directory, error) from error
        certificates = [CvCertificate.from_bytes(_read(path)) for path in paths[:_MAX_ON_SHELF]]
        return tuple(
            sorted(
                certificates,
                key=lambda item: item.body.holder_reference.sequence_number,
                reverse=True,
            )
        )

    def for_new_cards(self, *, today: date) -> tuple[bytes, ...]:
        """The references that a card signed today names, the newest first; none where the shelf has none."""
        valid = [item for item in self.held() if item.body.is_valid_on(today)]
        return tuple(item.body.holder_reference.to_bytes() for item in valid[:_MAX_ON_CARD])

    def by_reference(self) -> Mapping[bytes, bytes]:
        """Reference -> the whole certificate, as it is put on a card."""
        return {item.body.holder_reference.to_bytes(): item.to_bytes() for item in self.held()}


def _read(path: Path) -> bytes:
    try:
        # A pipe would never end: nothing is waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(MAX_ENCODED_BYTES + 1)
    except OSError as error:
        raise _unavailable(path, error) from error


def _unavailable(path: Path, error: OSError) -> IssuerUnavailableError:
    return IssuerUnavailableError(
        f"{path} cannot be read or written: {error.strerror}", code="trust-point.unavailable"
    )
