"""Puts operators and authorisations together from a home: whose keys are where, and what the journal says of them."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import NamedCurve
from pki.bootstrap import open_authority, read_state
from pki.certificates.certificate import load_certificate
from pki.certificates.operator_roles import OperatorRole
from pki.durable import create_file, replace_file
from pki.errors import PkiDataError, PkiRefusedError, RecordError
from pki.home import Home
from pki.keys.algorithms import elliptic_curve_key
from pki.keys.open import create_pin_file, read_pin_file
from pki.keys.software import SoftwareKeystore
from pki.services.authorisation_state import OperatorRecord
from pki.services.operator_credentials import OperatorCredentials
from pki.services.operators import OperatorService
from pki.services.recorder import Recorder
from pki.services.service_authority import (
    MAX_REQUEST_BYTES,
    ServiceAuthorityService,
    public_key_of_request,
)
from pki.signed.authorisation import (
    BATCH_BYTES,
    MAX_AUTHORISATION_BYTES,
    BatchAuthorisation,
)

__all__ = [
    "CredentialStep",
    "create_authorisation",
    "enrol_operator",
    "enrol_operator_by_request",
    "prove_operator",
    "read_authorisation",
    "revoke_operator",
    "sign_authorisation",
]

_KEY_ID: Final = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialStep:
    """A registration to enrol with a new operator's certificate, and what judges it, over an open home."""

    registration: bytes = field(repr=False)
    credentials: Callable[[Recorder], OperatorCredentials]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Enrolment:
    operators: OperatorService
    recorder: Recorder

    def check(self, name: str, credential: CredentialStep | None) -> None:
        """A registration that does not hold is refused before there is a key or a certificate."""
        if credential is not None:
            credential.credentials(self.recorder).check(name, credential.registration)

    def enrol(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        roles: frozenset[OperatorRole],
        credential: CredentialStep | None,
    ) -> OperatorRecord:
        """The certificate first: the credential is enrolled with it."""
        record = self.operators.enrol(name, public_key, roles)
        if credential is not None:
            credential.credentials(self.recorder).enrol(name, credential.registration)
        return record


def enrol_operator(
    home: Home,
    name: str,
    *,
    keys: Path | None,
    operator_pin_file: Path,
    pin_file: Path | None,
    roles: frozenset[OperatorRole] = frozenset(),
    credential: CredentialStep | None = None,
) -> OperatorRecord:
    """Make an operator's key, under the operator's PIN, and its certificate.

    Args:
        home: the authority's home.
        name: the operator's name, a plain word.
        keys: the directory for the key; ``None`` for ``operators/NAME`` in the home.
        operator_pin_file: the operator's own PIN; the file is made with a random one if absent.
        pin_file: the PIN of the home's keystore.
        roles: what the operator may do through the API.
        credential: a WebAuthn credential to enrol with the certificate.

    Raises:
        PkiRefusedError: ``operator.exists``, ``operator.name-invalid``, ``operator.pin-shared``.
        KeystoreError, RecordError: it is not, or not wholly, enrolled.
    """
    pin = home.read_pin(pin_file)
    with _open_service(home, pin_file) as service:
        service.operators.check_new(name)
        service.check(name, credential)
        operator_pin = create_pin_file(operator_pin_file)
        if operator_pin == pin:
            raise PkiRefusedError(
                "the operator's PIN is the one of the authority's keystore",
                code="operator.pin-shared",
                hint="give every operator a PIN file of their own",
            )
        directory = keys if keys is not None else home.operators / name
        with contextlib.closing(
            SoftwareKeystore.create(directory, passphrase=operator_pin.encode())
        ) as own:
            own.create_signing_key(key_id=_KEY_ID, curve=NamedCurve.SECP256R1)
            return service.enrol(
                name, elliptic_curve_key(own.signer(_KEY_ID).public_key), roles, credential
            )


def enrol_operator_by_request(
    home: Home,
    name: str,
    *,
    request: Path,
    roles: frozenset[OperatorRole],
    pin_file: Path | None,
    credential: CredentialStep | None = None,
) -> OperatorRecord:
    """Certify the key that an operator made elsewhere, in a browser or on a card, and proved by a PKCS#10 request.

    Raises:
        PkiDataError: ``service.request-malformed``.
        PkiRefusedError: ``operator.exists``, ``operator.name-invalid``, ``operator.key-used``.
        KeystoreError, RecordError: it is not, or not wholly, enrolled.
    """
    try:
        with request.open("rb") as file:
            content = file.read(MAX_REQUEST_BYTES + 1)
    except OSError as error:
        raise PkiDataError(
            f"certification request {request} cannot be read: {error.strerror}",
            code="service.request-malformed",
        ) from error
    public_key = elliptic_curve_key(public_key_of_request(content))
    with _open_service(home, pin_file) as service:
        service.operators.check_new(name)
        service.check(name, credential)
        return service.enrol(name, public_key, roles, credential)


def prove_operator(home: Home, name: str, *, keys: Path | None, operator_pin_file: Path) -> bytes:
    """The certificate of the operator who sits here: whoever opens the key is the operator.

    Raises:
        PkiRefusedError: ``operator.unknown``, ``operator.unfinished``, ``signing.key-mismatch``.
        KeystoreError: the operator's key or PIN is wrong.
        RecordError: ``home.missing``, ``record.damaged``.
    """
    record = read_state(home).authorisations.operators.get(name)
    if record is None:
        raise PkiRefusedError(f"there is no operator {name[:80]!r}", code="operator.unknown")
    if record.certificate is None:
        raise PkiRefusedError(
            f"whether operator {name} has a certificate is unknown", code="operator.unfinished"
        )
    passphrase = read_pin_file(operator_pin_file).encode()
    directory = keys if keys is not None else home.operators / name
    with contextlib.closing(SoftwareKeystore(directory, passphrase=passphrase)) as keystore:
        if keystore.signer(_KEY_ID).public_key != load_certificate(record.certificate).public_key:
            raise PkiRefusedError(
                f"the key is not the one in the certificate of operator {name}",
                code="signing.key-mismatch",
            )
    return record.certificate


def revoke_operator(home: Home, name: str, *, reason: str, pin_file: Path | None) -> OperatorRecord:
    """Revoke an operator; see ``OperatorService.revoke``."""
    with _open_service(home, pin_file) as service:
        return service.operators.revoke(name, reason=reason)


def create_authorisation(
    path: Path, *, signer_id: str, cards: int, until: datetime | timedelta, chips: int = 0
) -> BatchAuthorisation:
    """Write a new authorisation that nobody has signed yet, over no other file.

    Raises:
        AuthorisationError: ``authorisation.malformed``: terms that cannot be.
        RecordError: ``authorisation.unwritable``.
    """
    end = (_now() + until) if isinstance(until, timedelta) else until
    authorisation = BatchAuthorisation(
        batch=secrets.token_bytes(BATCH_BYTES),
        signer_id=signer_id,
        cards=cards,
        until=end.astimezone(UTC).replace(microsecond=0),
        chips=chips,
    )
    try:
        create_file(path, authorisation.to_bytes(), mode=0o644)
    except OSError as error:
        raise _unwritable(path, error) from error
    return authorisation


def read_authorisation(path: Path) -> BatchAuthorisation:
    """Read an authorisation's file.

    Raises:
        AuthorisationError: ``authorisation.malformed``.
        RecordError: ``authorisation.unreadable``.
    """
    try:
        with path.open("rb") as file:
            return BatchAuthorisation.from_bytes(file.read(MAX_AUTHORISATION_BYTES + 1))
    except OSError as error:
        raise RecordError(
            f"authorisation {path} cannot be read: {error.strerror}",
            code="authorisation.unreadable",
        ) from error


def sign_authorisation(
    path: Path, operator: OperatorRecord, *, keys: Path, operator_pin_file: Path
) -> BatchAuthorisation:
    """Add an operator's signature to the file.

    Raises:
        PkiRefusedError: ``operator.revoked``, ``operator.unfinished``, ``authorisation.same-operator``,
            ``signing.key-mismatch``.
        KeystoreError: the operator's key or PIN is wrong.
        RecordError: ``authorisation.unreadable``, ``authorisation.unwritable``.
    """
    authorisation = read_authorisation(path)
    if operator.revoked_at is not None:
        raise PkiRefusedError(f"operator {operator.name} is revoked", code="operator.revoked")
    if operator.certificate is None:
        raise PkiRefusedError(
            f"whether operator {operator.name} has a certificate is unknown",
            code="operator.unfinished",
            hint="enrol another name",
        )
    if any(each.certificate == operator.certificate for each in authorisation.signatures):
        raise PkiRefusedError(
            f"operator {operator.name} has signed already, expected different operators",
            code="authorisation.same-operator",
        )
    passphrase = read_pin_file(operator_pin_file).encode()
    with contextlib.closing(SoftwareKeystore(keys, passphrase=passphrase)) as keystore:
        signer = keystore.signer(_KEY_ID)
        if signer.public_key != load_certificate(operator.certificate).public_key:
            raise PkiRefusedError(
                f"the key is not the one in the certificate of operator {operator.name}",
                code="signing.key-mismatch",
            )
        signed = authorisation.signed_with(signer, certificate=operator.certificate)
    try:
        replace_file(path, signed.to_bytes(), mode=0o644)
    except OSError as error:
        raise _unwritable(path, error) from error
    return signed


@contextlib.contextmanager
def _open_service(home: Home, pin_file: Path | None) -> Iterator[_Enrolment]:
    with open_authority(home, pin_file=pin_file) as authority:
        recorder = authority.recorder
        yield _Enrolment(
            operators=OperatorService(
                certification=ServiceAuthorityService(authority), recorder=recorder
            ),
            recorder=recorder,
        )


def _unwritable(path: Path, error: OSError) -> RecordError:
    return RecordError(
        f"authorisation {path} cannot be written: {error.strerror}",
        code="authorisation.unwritable",
    )


def _now() -> datetime:
    return datetime.now(UTC)
