"""What a terminal shows to chips: its certificate, everything above it, and the key (TR-03110-3, 2.3).

A store is judged as a whole before any card is read: what it holds belongs together and was rightly signed. Whether
it is still valid is asked for each card anew, because a terminal goes on reading when its credentials have expired.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Self

from card_layout.curves import EcPublicKey
from pki.card_verifiable.authorisation import Role, TerminalType
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.chain import MAX_CHAIN_CERTIFICATES, EffectiveRights, JudgedCertificate
from pki.card_verifiable.public_key import sign_plainly
from pki.card_verifiable.references import HolderReference
from pki.errors import PkiRefusedError
from pki.keys.algorithms import elliptic_curve_key
from pki.keys.signer import Signer

__all__ = ["MAX_CREDENTIAL_CERTIFICATES", "TerminalChain", "TerminalCredentials"]

MAX_CREDENTIAL_CERTIFICATES: Final = 64
"""Enough for a CVCA's keys of a century and a terminal's document verifiers."""

_MAX_CHOSEN: Final = 64
_TEMPLATE_GROUPS: Final = {3: 0, 4: 1}
"""Data groups that bits of the authorisation template grant, and which (SPEC.md, 10.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalChain:
    """The certificates to show to a chip that trusts ``trust_point``, and what all of them grant."""

    trust_point: HolderReference
    certificates: tuple[CvCertificate, ...]
    encoded: tuple[bytes, ...] = field(repr=False)
    """The values of ``certificates``, as a chip is shown them."""
    rights: EffectiveRights

    @property
    def data_groups(self) -> frozenset[int]:
        """The data groups that the terminal may read with this chain (SPEC.md, 10.1)."""
        by_template = {
            group for group, bit in _TEMPLATE_GROUPS.items() if self.rights.access_bits >> bit & 1
        }
        return frozenset(by_template | (self.rights.files.data_groups - set(_TEMPLATE_GROUPS)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalCredentials:
    """One terminal's certificate and key, and the certificates above it; made by ``from_certificates``."""

    certificate: CvCertificate
    signer: Signer = field(repr=False)
    _above: Mapping[HolderReference, tuple[JudgedCertificate, ...]] = field(repr=False)
    _chosen: dict[tuple[tuple[bytes, ...], date], TerminalChain] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )
    """Chains by trust points and day: all cards of a time trust the same keys."""

    @classmethod
    def from_certificates(cls, certificates: Sequence[CvCertificate], *, signer: Signer) -> Self:
        """Judge a store: one terminal, document verifiers, and CVCA certificates and links up to self-signed ones.

        Raises:
            PkiRefusedError: ``terminal.credentials-incomplete``: not one terminal's certificate, or too many others;
                ``cv-certificate.issuer-unknown``: what signed a certificate is not there; ``signing.key-mismatch``:
                the key is another's; and as ``JudgedCertificate``, but for validity.
            PkiDataError: a signature or a key is wrong.
        """
        if len(certificates) > MAX_CREDENTIAL_CERTIFICATES:
            raise PkiRefusedError(
                f"there are {len(certificates)} certificates, expected at most {MAX_CREDENTIAL_CERTIFICATES}",
                code="terminal.credentials-incomplete",
            )
        own = [item for item in certificates if item.body.authorisation.role is Role.TERMINAL]
        if len(own) != 1:
            raise PkiRefusedError(
                f"there are {len(own)} certificates of terminals, expected one",
                code="terminal.credentials-incomplete",
            )
        judged = _judge_all(certificates)
        _require_key(next(item for item in judged if item.certificate is own[0]), signer)
        above: dict[HolderReference, tuple[JudgedCertificate, ...]] = {}
        for item in judged:
            if item.certificate is not own[0]:
                above[item.holder_reference] = (*above.get(item.holder_reference, ()), item)
        return cls(certificate=own[0], signer=signer, _above=above)

    @property
    def holder_reference(self) -> HolderReference:
        """Of the terminal's key."""
        return self.certificate.body.holder_reference

    def chain_from(self, trust_points: Collection[bytes], *, on: date) -> TerminalChain:
        """The shortest chain below one of a chip's trust points whose certificates are all valid on that day (UTC).

        Raises:
            PkiRefusedError: ``terminal-authentication.trust-point-unknown``: no chain begins at one of them;
                ``terminal-authentication.expired``: none of those that do is valid.
        """
        key = (tuple(trust_points), on)
        found = self._chosen.get(key) or self._shortest(trust_points, on=on)
        if found is not None:
            if len(self._chosen) >= _MAX_CHOSEN:
                # Trust points come from chips, which may make up any number of others.
                self._chosen.clear()
            self._chosen[key] = found
            return found
        if self._shortest(trust_points, on=None) is not None:
            raise PkiRefusedError(
                f"the certificates of {self.holder_reference.text} are not valid on {on}",
                code="terminal-authentication.expired",
            )
        names = " ".join(item.decode("iso-8859-1")[:16] for item in trust_points)
        raise PkiRefusedError(
            f"no chain to {self.holder_reference.text} begins at a trust point of the chip ({names[:40]!r})",
            code="terminal-authentication.trust-point-unknown",
        )

    def best_rights(self, *, on: date) -> frozenset[int] | None:
        """The data groups that some chain of the store grants on that day; ``None`` where none is valid."""
        chains = [
            self._shortest((reference.to_bytes(),), on=on)
            for reference, items in self._above.items()
            if any(item.certificate.body.authorisation.role is Role.CVCA for item in items)
        ]
        granted = [chain.data_groups for chain in chains if chain is not None]
        return frozenset().union(*granted) if granted else None

    def sign(self, message: bytes) -> bytes:
        """The signature r || s of terminal authentication.

        Raises:
            KeystoreError: the key or its token failed.
        """
        return sign_plainly(self.signer, message)

    def _shortest(
        self, trust_points: Collection[bytes], *, on: date | None
    ) -> TerminalChain | None:
        """Breadth first from the terminal up: the first path that meets a trust point is the shortest."""
        seen: set[HolderReference] = set()
        paths: deque[tuple[CvCertificate, ...]] = deque()
        if _is_usable(self.certificate, on):
            paths.append((self.certificate,))
        while paths:
            path = paths.popleft()
            reference = path[0].body.authority_reference
            if reference in seen:
                continue
            seen.add(reference)
            above = self._above.get(reference, ())
            if reference.to_bytes() in trust_points:
                return _chain(above, reference, path)
            if len(path) < MAX_CHAIN_CERTIFICATES:
                paths.extend(
                    (item.certificate, *path)
                    for item in above
                    if not item.certificate.body.is_self_signed and _is_usable(item.certificate, on)
                )
        return None


def _chain(
    trusted: Sequence[JudgedCertificate],
    reference: HolderReference,
    path: tuple[CvCertificate, ...],
) -> TerminalChain:
    # A chip holds a trust point as its certificate said it; the self-signed one is what personalisation gives.
    ordered = sorted(trusted, key=lambda item: not item.certificate.body.is_self_signed)
    rights = EffectiveRights.granted_by(ordered[0].certificate)
    for certificate in path:
        rights = rights.restricted_to(EffectiveRights.granted_by(certificate))
    return TerminalChain(
        trust_point=reference,
        certificates=path,
        encoded=tuple(item.to_value() for item in path),
        rights=rights,
    )


def _is_usable(certificate: CvCertificate, on: date | None) -> bool:
    return on is None or certificate.body.is_valid_on(on)


def _judge_all(certificates: Sequence[CvCertificate]) -> list[JudgedCertificate]:
    """Every certificate followed to a self-signed one of the store, whatever the day."""
    waiting = [item for item in certificates if not item.body.is_self_signed]
    judged = [
        JudgedCertificate.trusted(item, on=None)
        for item in certificates
        if item.body.is_self_signed
    ]
    while waiting:
        left: list[CvCertificate] = []
        for item in waiting:
            issuer = _find(judged, item.body.authority_reference)
            if issuer is None:
                left.append(item)
            else:
                judged.append(issuer.follow(item, on=None))
        if len(left) == len(waiting):
            raise PkiRefusedError(
                f"certificate {left[0].body.holder_reference.text} is signed by "
                f"{left[0].body.authority_reference.text}, which is not there",
                code="cv-certificate.issuer-unknown",
            )
        waiting = left
    _require_one_key_a_reference(judged)
    return judged


def _find(
    judged: Iterable[JudgedCertificate], reference: HolderReference
) -> JudgedCertificate | None:
    return next((item for item in judged if item.holder_reference == reference), None)


def _require_one_key_a_reference(judged: Sequence[JudgedCertificate]) -> None:
    for item in judged:
        first = _find(judged, item.holder_reference)
        if first is not None and first.public_key != item.public_key:
            raise PkiRefusedError(
                f"two certificates of {item.holder_reference.text} are about different keys",
                code="cv-certificate.holder-differs",
            )


def _require_key(own: JudgedCertificate, signer: Signer) -> None:
    body = own.certificate.body
    if body.authorisation.terminal_type is not TerminalType.INSPECTION_SYSTEM:
        raise PkiRefusedError(
            f"terminal {own.holder_reference.text} is of type {body.authorisation.terminal_type.label}, "
            f"expected {TerminalType.INSPECTION_SYSTEM.label}",
            code="cv-certificate.terminal-type-differs",
        )
    key = EcPublicKey.from_cryptography(elliptic_curve_key(signer.public_key))
    if key != own.public_key or signer.algorithm is not body.public_key.algorithm:
        raise PkiRefusedError(
            f"the key is not the one in the certificate of {own.holder_reference.text}",
            code="signing.key-mismatch",
        )
