"""The keys with which one side signs and opens what travels between stations and the centre (SPEC.md, 7.13)."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeVar

from issuer.domain.card import CardReference
from issuer.domain.card_job import CardJob
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.stations.job_codec import job_from_bytes, job_to_bytes
from pki.certificates.exchange_certificates import judge_exchange_certificate
from pki.certificates.profile import ProfileKind
from pki.errors import PkiDataError
from pki.keys.keystore import AgreementKeystore
from pki.signed.sealed_envelope import sealed_to, unsealed
from pki.signed.sealed_message import (
    MessagePurpose,
    OpenedMessage,
    open_sealed,
    sign_and_seal,
)

__all__ = ["EnvelopeJobSeal", "ExchangeKeys", "KeystoreCalls", "Peer", "judge_peer"]

Clock = Callable[[], datetime]
_Result = TypeVar("_Result")

_RECEIVERS: Final = {True: ProfileKind.STATION, False: ProfileKind.INSTANCE}


class KeystoreCalls(Protocol):
    """A keystore that is used from one thread, whoever calls."""

    def call(self, work: Callable[[AgreementKeystore], _Result]) -> _Result:
        """The result of ``work`` on the keystore; what it raises is raised here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The other side: by whose key it signs, and to whose key one seals; both certificates are pinned."""

    name: str
    signer_certificate: bytes = field(repr=False)
    certificate: bytes = field(repr=False)


def judge_peer(peer: Peer, *, root: bytes, is_station: bool, now: datetime) -> None:
    """Both certificates are issued by the trusted root to this name, for their purposes, and valid now.

    Raises:
        PkiRefusedError: ``exchange.certificate``, ``exchange.certificate-expired``.
        PkiDataError: ``service.authority-invalid``.
    """
    for der, kind in (
        (peer.signer_certificate, ProfileKind.INSTANCE_SIGNER),
        (peer.certificate, _RECEIVERS[is_station]),
    ):
        judge_exchange_certificate(der, kind=kind, root=root, name=peer.name, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeKeys:
    """Our own two keys in a keystore, their certificates, and the root of the other side's."""

    keystore: KeystoreCalls
    signing_key_id: str
    key_id: str
    own: Peer
    root: bytes = field(repr=False)
    clock: Clock

    def seal(self, content: bytes, *, purpose: MessagePurpose, peer: Peer) -> bytes:
        """Sign the content and seal it to the other side.

        Raises:
            PkiError: a key or certificate cannot be used, or it is too long.
        """

        def work(keystore: AgreementKeystore) -> bytes:
            return sign_and_seal(
                content,
                purpose=purpose,
                signer=keystore.signer(self.signing_key_id),
                signer_certificate=self.own.signer_certificate,
                receiver_certificate=peer.certificate,
                signing_time=self.clock(),
                random_bytes=secrets.token_bytes,
            )

        return self.keystore.call(work)

    def open(self, sealed: bytes, *, purpose: MessagePurpose) -> OpenedMessage:
        """Open what is sealed to us; by whom it is signed, is for ``require_signed_by`` to judge.

        Raises:
            PkiError: it cannot be opened, or its signature does not hold.
        """

        def work(keystore: AgreementKeystore) -> OpenedMessage:
            return open_sealed(
                sealed,
                purpose=purpose,
                own_certificate=self.own.certificate,
                agree=lambda sender: keystore.agree(self.key_id, sender),
            )

        return self.keystore.call(work)

    def require_signed_by(self, opened: OpenedMessage, peer: Peer, *, is_station: bool) -> None:
        """The message was signed by the other side, whose certificates hold now.

        Raises:
            IssuerRefusedError: another signed it (``station.other-signer``).
            PkiError: as ``judge_peer``.
        """
        if opened.signer_certificate != peer.signer_certificate:
            raise IssuerRefusedError(
                f"the message is signed by another than {peer.name}", code="station.other-signer"
            )
        judge_peer(peer, root=self.root, is_station=is_station, now=self.clock())

    def job_seal(self, station: Peer) -> "EnvelopeJobSeal":
        """Seals jobs to a station, and opens them where that is ourselves."""
        return EnvelopeJobSeal(keys=self, station=station)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeJobSeal:
    """Implements ``JobSeal``: one CMS AuthEnvelopedData a card, to the station's certificate."""

    keys: ExchangeKeys
    station: Peer

    def seal(self, job: CardJob) -> bytes:
        """See ``JobSeal.seal``."""
        return sealed_to(
            self.station.certificate, job_to_bytes(job), random_bytes=secrets.token_bytes
        )

    def open(self, sealed: bytes, reference: CardReference) -> CardJob:
        """See ``JobSeal.open``."""

        def work(keystore: AgreementKeystore) -> bytes:
            return unsealed(
                sealed,
                own_certificate=self.keys.own.certificate,
                agree=lambda sender: keystore.agree(self.keys.key_id, sender),
            )

        try:
            plain = self.keys.keystore.call(work)
        except PkiDataError as error:
            raise IssuerUnavailableError(
                f"the sealed job of card {reference.hex()} cannot be opened: {error}",
                code="production.seal-broken",
            ) from error
        return job_from_bytes(plain, reference=reference)
