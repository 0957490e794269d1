"""Our own master list: everything of it but the signature, to be signed once (Doc 9303-12, 9, table 18)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, Self

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from pki.certificates import extensions as ext
from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.prepared import Redemption, sign_once
from pki.certificates.profile import ProfileKind
from pki.certificates.profile_checks import required
from pki.errors import PkiRefusedError
from pki.keys.algorithms import PublicKey, SignatureAlgorithm
from pki.keys.signer import Signer
from pki.signed.decoding import algorithm_identifier, element
from pki.signed.master_list import ID_MASTER_LIST, CscaMasterList, MasterListSignerInfo
from pki.signed.signed_frame import attribute, encode_time
from pki.signed.structures import (
    ID_CONTENT_TYPE,
    ID_MESSAGE_DIGEST,
    ID_SIGNED_DATA,
    ID_SIGNING_TIME,
    Attribute,
    EncapsulatedContentInfo,
)

__all__ = ["MAX_OWN_LIST_BYTES", "PreparedMasterList"]

MAX_OWN_LIST_BYTES: Final = 24 * 1024
"""What one list of ours may hold: a line of the journal holds it in hex. A key of the CSCA needs 2 kB every four years."""

_SIGNED_DATA_VERSION: Final = 3
_SIGNER_INFO_VERSION: Final = 3
"""RFC 5652, 5.3: a key identifier names the signer, as Doc 9303-12, table 18 recommends."""


@asn1.sequence
class _SignedMasterList:
    """RFC 5652, 5.1."""

    version: int
    digest_algorithms: asn1.SetOf[asn1.TLV]
    content_info: EncapsulatedContentInfo
    certificates: Annotated[asn1.SetOf[asn1.TLV], asn1.Implicit(0)]
    signers: asn1.SetOf[MasterListSignerInfo]


@asn1.sequence
class _ContentInfo:
    """RFC 5652, 3."""

    content_type: ObjectIdentifier
    content: Annotated[_SignedMasterList, asn1.Explicit(0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedMasterList:
    """A list that lacks nothing but the signature; see ``pki.certificates.prepared.Prepared``."""

    algorithm: SignatureAlgorithm
    content: bytes = field(repr=False)
    carried: tuple[bytes, ...] = field(repr=False)
    key_identifier: bytes = field(repr=False)
    attributes: asn1.SetOf[Attribute] = field(repr=False)
    redemption: Redemption = field(
        init=False, repr=False, compare=False, default_factory=Redemption
    )

    @classmethod
    def compose(
        cls,
        *,
        signer_certificate: bytes,
        authority_certificate: bytes,
        public_key: PublicKey,
        listed: Sequence[bytes],
        signing_time: datetime,
    ) -> Self:
        """Put the list of DER certificates and the signed attributes together.

        Args:
            signer_certificate: DER; it is carried beside the list, as Doc 9303-12, table 18 demands.
            authority_certificate: DER of the CSCA that issued it; carried, too.
            public_key: the key that will sign.
            listed: roots and links, each once, in any order.
            signing_time: aware; whole seconds count.

        Raises:
            PkiDataError: ``signer.profile``.
            PkiRefusedError: ``signing.key-mismatch``, ``master-list.request-invalid``.
        """
        signer = ListSignerCertificate.from_bytes(
            signer_certificate, kind=ProfileKind.MASTER_LIST_SIGNER
        )
        if signer.certificate.public_key != public_key:
            raise PkiRefusedError(
                "the certificate is for another key than the signer's", code="signing.key-mismatch"
            )
        size = sum(map(len, listed))
        if not listed or len(set(listed)) != len(listed) or size > MAX_OWN_LIST_BYTES:
            raise PkiRefusedError(
                f"the list would hold {len(listed)} certificates of {size} bytes, expected at least one, "
                f"each once, and at most {MAX_OWN_LIST_BYTES} bytes",
                code="master-list.request-invalid",
            )
        algorithm = SignatureAlgorithm.for_key(public_key)
        content = asn1.encode_der(
            CscaMasterList(version=0, certificates=asn1.SetOf([element(der) for der in listed]))
        )
        attributes = [
            attribute(ID_CONTENT_TYPE, ID_MASTER_LIST),
            attribute(ID_MESSAGE_DIGEST, algorithm.hash_algorithm.digest(content)),
            attribute(ID_SIGNING_TIME, encode_time(signing_time)),
        ]
        return cls(
            algorithm=algorithm,
            content=content,
            carried=(signer_certificate, authority_certificate),
            key_identifier=required(
                ext.decode_subject_key_identifier(signer.certificate.extensions),
                "subject key identifier",
            ),
            attributes=asn1.SetOf(attributes),
        )

    @property
    def to_be_signed(self) -> bytes:
        """The signed attributes under the tag SET OF (RFC 5652, 5.4)."""
        return asn1.encode_der(self.attributes)

    def draft(self, signer: Signer) -> bytes:
        """See ``Prepared``."""
        return self._finish(sign_once(self, signer))

    def sign(self, signer: Signer) -> bytes:
        """See ``Prepared``."""
        return self._finish(sign_once(self, signer, redemption=self.redemption))

    def frame(self, finished: bytes) -> bytes:
        """See ``Prepared``."""
        found = asn1.decode_der(_ContentInfo, finished)
        signed = found.content
        return asn1.encode_der(
            _ContentInfo(
                content_type=found.content_type,
                content=_SignedMasterList(
                    version=signed.version,
                    digest_algorithms=signed.digest_algorithms,
                    content_info=signed.content_info,
                    certificates=signed.certificates,
                    signers=asn1.SetOf(
                        [
                            MasterListSignerInfo(
                                version=item.version,
                                signer=item.signer,
                                digest_algorithm=item.digest_algorithm,
                                signed_attributes=item.signed_attributes,
                                signature_algorithm=item.signature_algorithm,
                                signature=b"",
                                unsigned_attributes=item.unsigned_attributes,
                            )
                            for item in signed.signers.as_list()
                        ]
                    ),
                ),
            )
        )

    def _finish(self, signature: bytes) -> bytes:
        digest_algorithm = algorithm_identifier(self.algorithm.hash_algorithm.oid)
        signer = MasterListSignerInfo(
            version=_SIGNER_INFO_VERSION,
            signer=self.key_identifier,
            digest_algorithm=digest_algorithm,
            signed_attributes=self.attributes,
            signature_algorithm=element(self.algorithm.identifier),
            signature=signature,
            unsigned_attributes=None,
        )
        return asn1.encode_der(
            _ContentInfo(
                content_type=ID_SIGNED_DATA,
                content=_SignedMasterList(
                    version=_SIGNED_DATA_VERSION,
                    digest_algorithms=asn1.SetOf([digest_algorithm]),
                    content_info=EncapsulatedContentInfo(
                        content_type=ID_MASTER_LIST, content=self.content
                    ),
                    certificates=asn1.SetOf([element(der) for der in self.carried]),
                    signers=asn1.SetOf([signer]),
                ),
            )
        )
