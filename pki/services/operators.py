"""Operators: who may authorise batches. Enrolled with a certificate, listed in the journal, revoked there.

``OperatorCertification`` is the port to whatever certifies operators; ``HomeOperatorRoot`` is a small root in the
authority's own keystore.
"""

from collections.abc import Callable
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import NamedCurve
from pki.certificates.certificate import load_certificate
from pki.certificates.names import TEST_WORD, DistinguishedName
from pki.certificates.operator_certificates import (
    prepare_operator_certificate,
    prepare_operator_root,
)
from pki.certificates.operator_roles import OperatorRole
from pki.certificates.trust import Authority
from pki.errors import PkiRefusedError
from pki.keys.algorithms import HashAlgorithm, elliptic_curve_key
from pki.keys.keystore import Keystore, check_key_id
from pki.keys.signer import Signer
from pki.services.authorisation_state import OperatorRecord
from pki.services.recorder import Recorder
from pki.services.state import EntryKind

__all__ = [
    "OPERATOR_ROOT_KEY_ID",
    "HomeOperatorRoot",
    "OperatorCertification",
    "OperatorService",
    "check_operator_name",
]

OPERATOR_ROOT_KEY_ID: Final = "operators-1"
"""The key of the root of operators."""

_SERIAL_NUMBER_BYTES = 16
_MAX_REASON_CHARACTERS = 200
_MAX_NAME_CHARACTERS = 32


class OperatorCertification(Protocol):
    """Whatever issues certificates to operators."""

    def certify(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        roles: frozenset[OperatorRole] = frozenset(),
    ) -> bytes:
        """The operator's certificate, DER; intended and issued are on record when this returns.

        Raises:
            PkiRefusedError: it cannot be issued.
            KeystoreError, RecordError: whether it exists is unknown.
        """


class HomeOperatorRoot:
    """A root of operators whose key lies beside the authority's; it is made when the first operator comes."""

    def __init__(
        self,
        *,
        keystore: Keystore,
        recorder: Recorder,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._keystore = keystore
        self._recorder = recorder
        self._random_bytes = random_bytes

    def certify(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        roles: frozenset[OperatorRole] = frozenset(),
    ) -> bytes:
        """See ``OperatorCertification.certify``.

        Raises:
            PkiRefusedError: ``authority.missing``, ``operator.root-unfinished``, ``operator.root-expired``.
        """
        root = self._root()
        serial_number = self._draw_serial_number()
        prepared = prepare_operator_certificate(
            root_certificate=root,
            public_key=public_key,
            name=self._name(f"operator {name}"),
            serial_number=serial_number,
            not_before=self._recorder.now(),
            roles=roles,
        )
        self._recorder.record(
            EntryKind.OPERATOR_INTENDED,
            operator=name,
            serial=f"{serial_number:x}",
            digest=HashAlgorithm.SHA256.digest(prepared.to_be_signed).hex(),
        )
        certificate = prepared.sign(self._signer(root))
        self._recorder.record(
            EntryKind.OPERATOR_ENROLLED, operator=name, certificate=certificate.hex()
        )
        return certificate

    def _root(self) -> bytes:
        found = self._recorder.state.authorisations
        if found.root_certificate is not None:
            return found.root_certificate
        if found.root_intended is not None:
            raise PkiRefusedError(
                "the root of operators was about to be signed when the work broke off: "
                "whether it exists is unknown",
                code="operator.root-unfinished",
                hint="begin anew in another home",
            )
        name = self._name("operators")
        if OPERATOR_ROOT_KEY_ID in self._keystore.key_ids():
            # No certificate can name it yet: it is what a crash left behind.
            self._keystore.destroy(OPERATOR_ROOT_KEY_ID)
            self._recorder.record(EntryKind.KEY_DESTROYED, key=OPERATOR_ROOT_KEY_ID)
        curve = NamedCurve.SECP256R1
        self._recorder.record(EntryKind.KEY_INTENDED, key=OPERATOR_ROOT_KEY_ID, curve=curve.label)
        self._keystore.create_signing_key(key_id=OPERATOR_ROOT_KEY_ID, curve=curve)
        signer = self._keystore.signer(OPERATOR_ROOT_KEY_ID)
        serial_number = self._draw_serial_number()
        prepared = prepare_operator_root(
            public_key=elliptic_curve_key(signer.public_key),
            name=name,
            serial_number=serial_number,
            not_before=self._recorder.now(),
        )
        self._recorder.record(
            EntryKind.OPERATOR_ROOT_INTENDED,
            key=OPERATOR_ROOT_KEY_ID,
            serial=f"{serial_number:x}",
            digest=HashAlgorithm.SHA256.digest(prepared.to_be_signed).hex(),
        )
        certificate = prepared.sign(signer)
        self._recorder.record(
            EntryKind.OPERATOR_ROOT_ISSUED,
            key=OPERATOR_ROOT_KEY_ID,
            certificate=certificate.hex(),
        )
        return certificate

    def _signer(self, root: bytes) -> Signer:
        signer = self._keystore.signer(OPERATOR_ROOT_KEY_ID)
        if signer.public_key != load_certificate(root).public_key:
            raise PkiRefusedError(
                "the key of the root of operators is not the one in its certificate",
                code="signing.key-mismatch",
            )
        return signer

    def _name(self, part: str) -> DistinguishedName:
        state = self._recorder.state
        if state.authority_certificate is None:
            raise PkiRefusedError(
                "there is no authority yet",
                code="authority.missing",
                hint="membercard-pki authority create",
            )
        authority = Authority.from_bytes(state.authority_certificate)
        prefix = f"{TEST_WORD} " if authority.is_test else ""
        return DistinguishedName(
            country=authority.country,
            common_name=f"{prefix}{part}",
            organisation=state.authority_name,
        )

    def _draw_serial_number(self) -> int:
        """Positive, 127 bits, mostly random, never used before (RFC 5280, 4.1.2.2)."""
        while True:
            drawn = int.from_bytes(self._random_bytes(_SERIAL_NUMBER_BYTES), "big")
            serial_number = drawn & (2**126 - 1) | 2**126
            if serial_number not in self._recorder.state.serial_numbers:
                return serial_number


class OperatorService:
    """Enrols and revokes operators."""

    def __init__(self, *, certification: OperatorCertification, recorder: Recorder) -> None:
        self._certification = certification
        self._recorder = recorder

    def check_new(self, name: str) -> None:
        """Whether an operator of this name can be enrolled, before a key is made.

        Raises:
            PkiRefusedError: ``operator.name-invalid``, ``operator.exists``.
        """
        check_operator_name(name)
        if name in self._recorder.state.authorisations.operators:
            raise PkiRefusedError(
                f"there is, or may be, a certificate for operator {name} already",
                code="operator.exists",
                hint="an operator's name is given once: choose another one, as name-2",
            )

    def enrol(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        roles: frozenset[OperatorRole] = frozenset(),
    ) -> OperatorRecord:
        """Give an operator a certificate for a key that only the operator has, with roles in the API.

        Raises:
            PkiRefusedError: ``operator.name-invalid``, ``operator.exists``, ``operator.key-used``: two names with
                one key would be one person; and whatever the certification refuses.
        """
        self.check_new(name)
        operators = self._recorder.state.authorisations.operators
        for other in operators.values():
            if (
                other.certificate is not None
                and load_certificate(other.certificate).public_key == public_key
            ):
                raise PkiRefusedError(
                    f"the key is operator {other.name}'s already", code="operator.key-used"
                )
        self._certification.certify(name, public_key, roles)
        return operators[name]

    def revoke(self, name: str, *, reason: str) -> OperatorRecord:
        """An operator authorises nothing any more; what stands under authorisations of theirs is not signed.

        Raises:
            PkiRefusedError: ``operator.unknown``, ``operator.revoked``, ``signing.request-invalid``.
        """
        record = self._recorder.state.authorisations.operators.get(name)
        if record is None:
            raise PkiRefusedError(f"there is no operator {name[:80]!r}", code="operator.unknown")
        if record.revoked_at is not None:
            raise PkiRefusedError(
                f"operator {name} was revoked at {record.revoked_at:%Y-%m-%d %H:%M:%S}Z",
                code="operator.revoked",
            )
        if not (1 <= len(reason) <= _MAX_REASON_CHARACTERS and reason.isprintable()):
            raise PkiRefusedError(
                f"reason has {len(reason)} characters, expected 1 to {_MAX_REASON_CHARACTERS} printable ones",
                code="signing.request-invalid",
            )
        self._recorder.record(EntryKind.OPERATOR_REVOKED, operator=name, reason=reason)
        return record


def check_operator_name(name: str) -> str:
    """The name itself, once it is known to be a plain word.

    Raises:
        PkiRefusedError: ``operator.name-invalid``.
        KeystoreError: ``keystore.key-id-invalid``.
    """
    if len(name) > _MAX_NAME_CHARACTERS:
        raise PkiRefusedError(
            f"operator's name has {len(name)} characters, expected at most {_MAX_NAME_CHARACTERS}",
            code="operator.name-invalid",
        )
    return check_key_id(name)
