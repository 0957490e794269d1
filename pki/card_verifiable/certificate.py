"""CV certificates: what chips check before a terminal may read a protected file (TR-03110-3, C.1 and D.2).

What is accepted encodes again to the same bytes. Reading a certificate says nothing about who signed it:
``pki.card_verifiable.chain`` judges that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Self

from card_layout import tlv
from card_layout.curves import EcPublicKey
from pki.card_verifiable.authorisation import (
    CertificateExtension,
    FileRights,
    HolderAuthorisation,
    Role,
    read_extensions,
    write_extensions,
)
from pki.card_verifiable.public_key import CvPublicKey
from pki.card_verifiable.references import HolderReference
from pki.card_verifiable.structure import Tag, malformed, match_tags, read_template

__all__ = ["PROFILE_IDENTIFIER", "CertificateBody", "CvCertificate", "read_date", "write_date"]

PROFILE_IDENTIFIER: Final = b"\x00"
"""Version 1, the only one (TR-03110-3, C.1.1)."""

_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2099


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateBody:
    """What is signed; it is valid from the first moment of the effective date to the last of the expiration date."""

    authority_reference: HolderReference
    public_key: CvPublicKey
    holder_reference: HolderReference
    authorisation: HolderAuthorisation
    effective_date: date
    expiration_date: date
    extensions: tuple[CertificateExtension, ...] = ()

    def __post_init__(self) -> None:
        if self.expiration_date < self.effective_date:
            raise malformed(
                f"expiration date {self.expiration_date} is before effective date {self.effective_date}"
            )
        has_parameters = self.public_key.curve is not None
        # TR-03110-3, C.1.3: a chip takes the domain parameters of terminals from their CVCA; a link may repeat them.
        if self.authorisation.role is not Role.CVCA and has_parameters:
            raise malformed(
                f"certificate of a {self.authorisation.role.label} has domain parameters, expected none"
            )
        if self.is_self_signed and self.authorisation.role is not Role.CVCA:
            raise malformed(
                f"certificate of a {self.authorisation.role.label} names itself as its authority"
            )
        if self.is_self_signed and not has_parameters:
            raise malformed("self-signed certificate has no domain parameters")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a certificate body (7F4E).

        Raises:
            PkiDataError: ``cv-certificate.malformed``, ``cv-certificate.algorithm-not-allowed``,
                ``cv-certificate.curve-not-allowed``.
        """
        values = match_tags(
            Tag.CERTIFICATE_BODY,
            read_template(data, Tag.CERTIFICATE_BODY),
            Tag.PROFILE_IDENTIFIER,
            Tag.AUTHORITY_REFERENCE,
            Tag.PUBLIC_KEY,
            Tag.HOLDER_REFERENCE,
            Tag.HOLDER_AUTHORISATION,
            Tag.EFFECTIVE_DATE,
            Tag.EXPIRATION_DATE,
            Tag.EXTENSIONS,
            optional=(Tag.EXTENSIONS,),
        )
        check_profile_identifier(values)
        extensions = values.get(Tag.EXTENSIONS)
        return cls(
            authority_reference=HolderReference.from_bytes(values[Tag.AUTHORITY_REFERENCE]),
            public_key=CvPublicKey.from_value(values[Tag.PUBLIC_KEY]),
            holder_reference=HolderReference.from_bytes(values[Tag.HOLDER_REFERENCE]),
            authorisation=HolderAuthorisation.from_value(values[Tag.HOLDER_AUTHORISATION]),
            effective_date=read_date(values[Tag.EFFECTIVE_DATE]),
            expiration_date=read_date(values[Tag.EXPIRATION_DATE]),
            extensions=() if extensions is None else read_extensions(extensions),
        )

    def to_bytes(self) -> bytes:
        """The certificate body (7F4E), which is what the signature is over."""
        extensions = write_extensions(self.extensions)
        return tlv.encode(
            Tag.CERTIFICATE_BODY,
            tlv.encode(Tag.PROFILE_IDENTIFIER, PROFILE_IDENTIFIER)
            + tlv.encode(Tag.AUTHORITY_REFERENCE, self.authority_reference.to_bytes())
            + tlv.encode(Tag.PUBLIC_KEY, self.public_key.to_value())
            + tlv.encode(Tag.HOLDER_REFERENCE, self.holder_reference.to_bytes())
            + tlv.encode(Tag.HOLDER_AUTHORISATION, self.authorisation.to_value())
            + tlv.encode(Tag.EFFECTIVE_DATE, write_date(self.effective_date))
            + tlv.encode(Tag.EXPIRATION_DATE, write_date(self.expiration_date))
            + (tlv.encode(Tag.EXTENSIONS, extensions) if extensions else b""),
        )

    @property
    def is_self_signed(self) -> bool:
        """Whether it names itself as its authority: a CVCA's root, as against a link."""
        return self.authority_reference == self.holder_reference

    @property
    def explicit_key(self) -> EcPublicKey:
        """The key on the curve that the certificate itself writes out.

        Raises:
            PkiDataError: ``cv-certificate.malformed``: it writes none out.
        """
        if self.public_key.curve is None:
            raise malformed(f"certificate {self.holder_reference.text} has no domain parameters")
        return self.public_key.on(self.public_key.curve)

    @property
    def file_name(self) -> str:
        """A name for its file: the holder's reference; a link's with its authority's in front."""
        if self.authorisation.role is Role.CVCA and not self.is_self_signed:
            return f"{self.authority_reference.text}-{self.holder_reference.text}"
        return self.holder_reference.text

    @property
    def file_rights(self) -> FileRights:
        """Which files it lets be read; none where it says nothing about files."""
        for extension in self.extensions:
            rights = extension.file_rights
            if rights is not None:
                return rights
        return FileRights()

    def is_valid_on(self, day: date) -> bool:
        """Whether the day (UTC) is within its validity, both ends included."""
        return self.effective_date <= day <= self.expiration_date


@dataclass(frozen=True, slots=True, kw_only=True)
class CvCertificate:
    """A body and the plain signature (r || s) over it."""

    body: CertificateBody
    signature: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a CV certificate (7F21).

        Raises:
            PkiDataError: ``cv-certificate.malformed``, ``cv-certificate.algorithm-not-allowed``,
                ``cv-certificate.curve-not-allowed``.
        """
        parts = read_template(data, Tag.CERTIFICATE)
        values = match_tags(Tag.CERTIFICATE, parts, Tag.CERTIFICATE_BODY, Tag.SIGNATURE)
        return cls(
            body=CertificateBody.from_bytes(parts[0].to_bytes()), signature=values[Tag.SIGNATURE]
        )

    def to_bytes(self) -> bytes:
        """The CV certificate (7F21)."""
        return tlv.encode(Tag.CERTIFICATE, self.to_value())

    def to_value(self) -> bytes:
        """Body and signature, as a chip is shown them (TR-03110-3, B.3)."""
        return self.body.to_bytes() + tlv.encode(Tag.SIGNATURE, self.signature)


def check_profile_identifier(values: Mapping[int, bytes]) -> None:
    """Whether 5F29 is version 1.

    Raises:
        PkiDataError: ``cv-certificate.malformed``.
    """
    found = values[Tag.PROFILE_IDENTIFIER]
    if found != PROFILE_IDENTIFIER:
        raise malformed(f"profile identifier is {found[:8].hex()}, expected 00")


def read_date(value: bytes) -> date:
    """A date of six unpacked BCD digits YYMMDD, of 2000 to 2099 (TR-03110-3, D.2.1.3).

    Raises:
        PkiDataError: ``cv-certificate.malformed``.
    """
    if len(value) != 6 or any(digit > 9 for digit in value):
        raise malformed(f"date is {value[:8].hex()}, expected six unpacked BCD digits")
    year, month, day = (10 * value[index] + value[index + 1] for index in (0, 2, 4))
    try:
        return date(_FIRST_YEAR + year, month, day)
    except ValueError as error:
        raise malformed(f"date is {value.hex()}, which is no day of the calendar") from error


def write_date(day: date) -> bytes:
    """Six unpacked BCD digits YYMMDD.

    Raises:
        PkiDataError: ``cv-certificate.malformed``: a year that two digits cannot tell.
    """
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise malformed(f"date is {day}, expected a year from {_FIRST_YEAR} to {_LAST_YEAR}")
    return bytes(int(digit) for digit in f"{day:%y%m%d}")
