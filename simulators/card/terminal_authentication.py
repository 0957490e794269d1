"""Terminal authentication version 1, card's end (TR-03110-3, 2.5 and B.3; SPEC.md, 10).

1. MSE:Set DST names a trust point, or the certificate that was verified last.
2. PSO:VERIFY CERTIFICATE brings the next one: a link, a document verifier's, a terminal's.
3. With the terminal's certificate the chain is complete, and only then the current date moves.
4. MSE:Set AT names the terminal's key, GET CHALLENGE gives the nonce, EXTERNAL AUTHENTICATE proves the key.
"""

from dataclasses import dataclass, field, replace

from simulators.card.cv_certificate import (
    INSPECTION_SYSTEM,
    CvCertificate,
    CvCertificateError,
    Role,
    VerificationKey,
    read_trust_point,
)
from simulators.card.non_volatile import NonVolatileMemory
from simulators.card.status import Refused, StatusWord
from simulators.card.templates import read_objects
from simulators.card.trust_points import current_date, trusted_certificates, with_link
from simulators.image import CardImage

__all__ = ["CHALLENGE_BYTES", "TerminalAuthentication", "TerminalRights"]

CHALLENGE_BYTES = 8

_DATA_GROUPS = range(1, 17)
_ACCESS_BITS = {3: 1 << 0, 4: 1 << 1}
"""What the authorisation template alone grants: EF.DG3 and EF.DG4 (TR-03110-3, C.4.1)."""

_MAY_CERTIFY = {
    Role.CVCA: frozenset({Role.CVCA, Role.DOCUMENT_VERIFIER, Role.FOREIGN_DOCUMENT_VERIFIER}),
    Role.DOCUMENT_VERIFIER: frozenset({Role.TERMINAL}),
    Role.FOREIGN_DOCUMENT_VERIFIER: frozenset({Role.TERMINAL}),
    Role.TERMINAL: frozenset[Role](),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalRights:
    """What every certificate of a chain grants: bits of the template, bits of the extension (SPEC.md, 10.1)."""

    access_bits: int = 0
    file_bits: int = 0

    @classmethod
    def granted_by(cls, chain: "tuple[CvCertificate, ...]") -> "TerminalRights":
        """The conjunction over a chain."""
        access_bits, file_bits = chain[0].access_bits, chain[0].file_bits
        for certificate in chain[1:]:
            access_bits &= certificate.access_bits
            file_bits &= certificate.file_bits
        return cls(access_bits=access_bits, file_bits=file_bits)

    def opens(self, path: str) -> bool:
        """Whether they open a file of the application, by the group that its file identifier 01nn names."""
        directory, _, identifier = path.partition("/")
        number = int(identifier, 16) - 0x0100
        if directory == "3F00" or number not in _DATA_GROUPS:
            return False
        if number in _ACCESS_BITS:
            return bool(self.access_bits & _ACCESS_BITS[number])
        return bool(self.file_bits >> number - 1 & 1)


@dataclass(slots=True, kw_only=True)
class TerminalAuthentication:
    """One session in which the chip was proven; ``rights`` are none until the terminal was.

    Args:
        memory: the non-volatile memory.
        chip_key: the compressed ephemeral key of the chip in PACE: ID_IC, as it is bound to no document.
        terminal_key: the compressed ephemeral key of the terminal that chip authentication went with.
        is_spent: whether a terminal was authenticated in this session before.
    """

    memory: NonVolatileMemory
    chip_key: bytes
    terminal_key: bytes
    is_spent: bool = False
    rights: TerminalRights = field(default_factory=TerminalRights)
    _chain: tuple[CvCertificate, ...] = ()
    _selected: tuple[CvCertificate, ...] = ()
    _authenticates: VerificationKey | None = None

    def select_verification_key(self, data: bytes) -> None:
        """MSE:Set DST.

        Raises:
            Refused: 6A80, or 6A88 where the key is neither a trust point's nor the last verified one's.
        """
        self.require_unspent()
        self._selected, self._authenticates = (), None
        reference = read_objects(data, required=(0x83,))[0x83]
        for point in trusted_certificates(self.memory.image):
            if point.holder_reference == reference:
                self._selected = (point,)
                return
        if self._chain and self._chain[-1].holder_reference == reference:
            self._selected = self._chain
            return
        raise Refused(StatusWord.REFERENCE_NOT_FOUND)

    def verify_certificate(self, data: bytes) -> None:
        """PSO:VERIFY CERTIFICATE: what the certificate changes is stored before the card answers.

        Raises:
            Refused: 6985 where no key was selected, 6A80 where it is no certificate that this chip can read,
                6300 where it is not to be trusted; the current date and the trust points are as before.
        """
        self.require_unspent()
        issuers, self._selected = self._selected, ()
        self._chain, self._authenticates = (), None
        if not issuers:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        try:
            certificate = CvCertificate.from_parts(data)
            curve = issuers[0].key(None).curve
            certificate.key(curve)
            issuer_key = issuers[-1].key(curve)
        except CvCertificateError as error:
            raise Refused(StatusWord.WRONG_DATA) from error
        _check(certificate, issuers[-1], issuer_key, today=current_date(self.memory.image))
        if certificate.role is Role.CVCA:
            self._import_link(certificate)
            self._chain = (certificate,)
            return
        chain = (*issuers, certificate)
        if certificate.role is Role.TERMINAL:
            self.memory.commit(_with_later_date(self.memory.image, chain))
        self._chain = chain

    def select_authentication_key(self, data: bytes) -> None:
        """MSE:Set AT: the key of the terminal's certificate, which must have been verified last.

        Raises:
            Refused: 6A80, or 6A88 where it names another key.
        """
        self.require_unspent()
        self._authenticates = None
        objects = read_objects(data, required=(0x83,), optional=(0x80,))
        terminal = self._chain[-1] if self._chain else None
        if (
            terminal is None
            or terminal.role is not Role.TERMINAL
            or terminal.holder_reference != objects[0x83]
        ):
            raise Refused(StatusWord.REFERENCE_NOT_FOUND)
        if objects.get(0x80, terminal.algorithm) != terminal.algorithm:
            raise Refused(StatusWord.WRONG_DATA)
        self._authenticates = terminal.key(self._chain[0].curve)

    def authenticate(self, signature: bytes, challenge: bytes | None) -> None:
        """EXTERNAL AUTHENTICATE, over ID_IC || rIC || Comp(PK_PCD) (TR-03110-3, B.3).

        Raises:
            Refused: 6985 where key or challenge are missing, 6300 where the signature is wrong; the certificates
                must then be sent anew.
        """
        self.require_unspent()
        key, self._authenticates = self._authenticates, None
        chain = self._chain
        if key is None or challenge is None:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        self._chain, self._selected = (), ()
        if not key.verifies(signature, self.chip_key + challenge + self.terminal_key):
            raise Refused(StatusWord.AUTHENTICATION_FAILED)
        self.is_spent = True
        self.rights = TerminalRights.granted_by(chain)

    def forget(self) -> None:
        """Take the rights back, and what was begun; the session has had its terminal none the less."""
        self.rights = TerminalRights()
        self._chain, self._selected, self._authenticates = (), (), None

    def require_unspent(self) -> None:
        """Let pass what begins terminal authentication.

        Raises:
            Refused: 6985, a terminal was authenticated in this session.
        """
        if self.is_spent:
            raise Refused(StatusWord.CONDITIONS_OF_USE)

    def _import_link(self, link: CvCertificate) -> None:
        """A new trust point, or one that the card has; not another key under a name that it knows."""
        for point in trusted_certificates(self.memory.image):
            if point.holder_reference == link.holder_reference:
                if point.key(None) != link.key(None):
                    raise Refused(StatusWord.AUTHENTICATION_FAILED)
                return
        try:
            read_trust_point(link.to_bytes())
        except CvCertificateError as error:
            raise Refused(StatusWord.WRONG_DATA) from error
        self.memory.commit(with_link(self.memory.image, link))


def _check(
    certificate: CvCertificate, issuer: CvCertificate, key: VerificationKey, *, today: str
) -> None:
    """Signature, roles and validity of one step (TR-03110-3, 2.5.1 and C.4).

    Raises:
        Refused: 6300; 6A80 where a document verifier or a terminal brings domain parameters of its own.
    """
    is_link = certificate.role is Role.CVCA
    if not is_link and certificate.curve is not None:
        raise Refused(StatusWord.WRONG_DATA)
    # An expired CVCA key still signs links, so that a card long unused finds its way to the key of today.
    is_issuer_over = not is_link and issuer.expiration_date < today
    is_over = not is_link and certificate.expiration_date < today
    if (
        certificate.authority_reference != issuer.holder_reference
        or certificate.terminal_type != INSPECTION_SYSTEM
        or certificate.role not in _MAY_CERTIFY[issuer.role]
        or is_issuer_over
        or is_over
        or not key.verifies(certificate.signature, certificate.body)
    ):
        raise Refused(StatusWord.AUTHENTICATION_FAILED)


def _with_later_date(image: CardImage, chain: tuple[CvCertificate, ...]) -> CardImage:
    """The current date after a complete chain: CVCA, document verifier, and terminals that a domestic one certified.

    Raises:
        Refused: 6300, no day exists on which the whole chain is valid: a verifier could else push the date beyond
            its own end.
    """
    is_domestic = chain[-2].role is Role.DOCUMENT_VERIFIER
    telling = chain if is_domestic else chain[:-1]
    date = max(current_date(image), *(certificate.effective_date for certificate in telling))
    if any(certificate.expiration_date < date for certificate in chain):
        raise Refused(StatusWord.AUTHENTICATION_FAILED)
    return replace(image, current_date=date)
