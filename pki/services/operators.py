"""Operators: who may authorise batches. Enrolled with a certificate, listed in the journal, revoked there.

``OperatorCertification`` is the port to whatever certifies operators: the root of services and operators
(``pki.services.service_authority``).
"""

from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from pki.certificates.certificate import load_certificate
from pki.certificates.operator_roles import OperatorRole
from pki.errors import PkiRefusedError
from pki.keys.keystore import check_key_id
from pki.services.authorisation_state import OperatorRecord
from pki.services.recorder import Recorder
from pki.services.state import EntryKind

__all__ = [
    "OperatorCertification",
    "OperatorService",
    "check_operator_name",
]

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
