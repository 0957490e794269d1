"""Keys and certificates with which stations and the centre talk: made here, certified by the PKI, and installed here."""

import contextlib
import enum
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from card_layout.curves import NamedCurve
from issuer.bootstrap import open_register_home
from issuer.bootstrap_keys import open_issuer_keystore
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.personalisation.sealed_keys import STATION_KEY_ID
from issuer.stations.exchange_keys import ExchangeKeys, KeystoreCalls, Peer, judge_peer
from pki.bounded_files import read_bounded
from pki.certificates.certificate import load_certificate
from pki.certificates.names import TEST_WORD, common_name_of
from pki.durable import replace_file
from pki.keys.keystore import AgreementKeystore
from pki.signed.certification_request import encode_certification_request

__all__ = [
    "ExchangeRole",
    "centre_of",
    "exchange_keys_of",
    "exchange_root_of",
    "has_exchange_keys",
    "install_exchange",
    "peer_of",
    "read_peer",
    "request_exchange",
]

_DIRECTORY: Final = "exchange"
_ROOT: Final = "service-root.cer"
_CENTRE: Final = ("centre-signer.cer", "centre.cer")
_MAX_CERTIFICATE_BYTES: Final = 65_536


class ExchangeRole(enum.StrEnum):
    """On which side of the exchange a home stands; its keys and certificates are called after it."""

    STATION = "station"
    CENTRE = "instance"

    @property
    def key_id(self) -> str:
        """The key that others seal to."""
        return STATION_KEY_ID if self is ExchangeRole.STATION else self.value

    @property
    def signing_key_id(self) -> str:
        """The key that signs."""
        return f"{self.value}-signer"

    @property
    def files(self) -> tuple[str, str]:
        """The certificates of the signing key and of the other one."""
        return f"{self.value}-signer.cer", f"{self.value}.cer"


def request_exchange(home: Path, out: Path, *, role: ExchangeRole, name: str) -> tuple[Path, ...]:
    """Make the two keys of a side, where there are none, and write a request (PKCS#10) for each.

    Raises:
        IssuerUnavailableError: ``personalisation.request-unwritable``.
        KeystoreError: the keystore cannot be opened, or a key not be made.
    """
    with (
        open_register_home(home) as opened,
        contextlib.closing(open_issuer_keystore(home, opened.settings)) as keystore,
    ):
        if role.key_id not in keystore.key_ids():
            keystore.create_agreement_key(key_id=role.key_id, curve=NamedCurve.SECP256R1)
        if role.signing_key_id not in keystore.key_ids():
            keystore.create_signing_key(key_id=role.signing_key_id, curve=NamedCurve.SECP256R1)
        requests = {
            f"{key_id}.csr": encode_certification_request(keystore.signer(key_id), common_name=name)
            for key_id in (role.signing_key_id, role.key_id)
        }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file_name, request in requests.items():
            (out / file_name).write_bytes(request)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{out} cannot be written: {error.strerror}", code="personalisation.request-unwritable"
        ) from error
    return tuple(out / file_name for file_name in requests)


def install_exchange(
    home: Path, directory: Path, *, role: ExchangeRole
) -> tuple[Peer, Peer | None]:
    """Judge and keep the certificates of a folder: the root's, our own two, and at a station the centre's two.

    Raises:
        PkiError: one is missing, not of the root, of another key than ours, or not valid now.
    """
    names = [_ROOT, *role.files, *(_CENTRE if role is ExchangeRole.STATION else ())]
    found = {name: read_bounded(directory / name, _MAX_CERTIFICATE_BYTES) for name in names}
    root = found[_ROOT]
    own = _peer(found, role.files)
    judge_peer(own, root=root, is_station=role is ExchangeRole.STATION, now=_now())
    centre = None
    if role is ExchangeRole.STATION:
        centre = _peer(found, _CENTRE)
        judge_peer(centre, root=root, is_station=False, now=_now())
    with (
        open_register_home(home) as opened,
        contextlib.closing(open_issuer_keystore(home, opened.settings)) as keystore,
    ):
        _require_own_keys(keystore, own, role)
    target = home / _DIRECTORY
    try:
        target.mkdir(mode=0o700, exist_ok=True)
        for name, content in found.items():
            replace_file(target / name, content)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{target} cannot be written: {error.strerror}", code="exchange.unwritable"
        ) from error
    return own, centre


def has_exchange_keys(home: Path, role: ExchangeRole) -> bool:
    """Whether the certificates of a side are installed."""
    return all((home / _DIRECTORY / name).is_file() for name in (_ROOT, *role.files))


def exchange_keys_of(home: Path, keystore: KeystoreCalls, role: ExchangeRole) -> ExchangeKeys:
    """Our side of the exchange.

    Raises:
        IssuerRefusedError: no certificates are installed (``exchange.not-installed``).
        PkiError: they cannot be read.
    """
    _require_installed(home, role)
    found = _installed(home, (_ROOT, *role.files))
    return ExchangeKeys(
        keystore=keystore,
        signing_key_id=role.signing_key_id,
        key_id=role.key_id,
        own=_peer(found, role.files),
        root=found[_ROOT],
        clock=_now,
    )


def exchange_root_of(home: Path) -> bytes:
    """The root by which the centre judges everybody's certificates.

    Raises:
        IssuerRefusedError: no certificates are installed (``exchange.not-installed``).
        PkiError: it cannot be read.
    """
    _require_installed(home, ExchangeRole.CENTRE)
    return _installed(home, (_ROOT,))[_ROOT]


def centre_of(home: Path) -> Peer:
    """The centre, as it was installed at a station.

    Raises:
        PkiError: its certificates cannot be read.
    """
    return _peer(_installed(home, _CENTRE), _CENTRE)


def read_peer(signer: Path, certificate: Path) -> Peer:
    """Somebody's two certificates from files; nobody has judged them.

    Raises:
        PkiError: they cannot be read.
    """
    return peer_of(
        signer=read_bounded(signer, _MAX_CERTIFICATE_BYTES),
        certificate=read_bounded(certificate, _MAX_CERTIFICATE_BYTES),
    )


def peer_of(*, signer: bytes, certificate: bytes) -> Peer:
    """Whom two certificates (DER) are of; nobody has judged them.

    Raises:
        PkiError: the second one is none.
    """
    subject = load_certificate(certificate).subject
    return Peer(
        name=common_name_of(subject).removeprefix(f"{TEST_WORD} "),
        signer_certificate=signer,
        certificate=certificate,
    )


def _require_installed(home: Path, role: ExchangeRole) -> None:
    if not has_exchange_keys(home, role):
        raise IssuerRefusedError(
            "the certificates of the exchange with stations are not installed",
            code="exchange.not-installed",
            hint="membercard-issuer keys install-exchange FOLDER",
        )


def _installed(home: Path, names: tuple[str, ...]) -> Mapping[str, bytes]:
    return {name: read_bounded(home / _DIRECTORY / name, _MAX_CERTIFICATE_BYTES) for name in names}


def _peer(found: Mapping[str, bytes], names: tuple[str, str]) -> Peer:
    signer, certificate = (found[name] for name in names)
    return peer_of(signer=signer, certificate=certificate)


def _require_own_keys(keystore: AgreementKeystore, own: Peer, role: ExchangeRole) -> None:
    for key_id, der in (
        (role.signing_key_id, own.signer_certificate),
        (role.key_id, own.certificate),
    ):
        if load_certificate(der).public_key != keystore.signer(key_id).public_key:
            raise IssuerRefusedError(
                f"the certificate is not for key {key_id} of this home", code="exchange.other-key"
            )


def _now() -> datetime:
    return datetime.now(UTC)
