"""What a trust directory holds, in words: whom it trusts, what it knows to be stopped or lost, and until when."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from pki.errors import PkiError
from pki.keys.algorithms import HashAlgorithm
from pki.services.terminal_export import read_certificates
from verifier.errors import TrustError
from verifier.trust.directory import load_trust
from verifier.trust.installed import InstalledBundle, current_layout, installed

__all__ = ["TrustLine", "TrustSummary", "summarise_trust"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustLine:
    """One thing that is trusted, or that says what is not any more.

    Attributes:
        kind: ``csca``, ``link``, ``crl``, ``stop-list``, ``status-list`` or ``cvca``.
        name: whose it is.
        until: until when it holds, or the next one comes.
        detail: what is worth knowing of it.
        fingerprint: SHA-256 of the file, in hexadecimal digits.
    """

    kind: str
    name: str
    until: datetime
    detail: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustSummary:
    """A trust directory; ``bundle`` is ``None`` where its files were put there one by one."""

    bundle: InstalledBundle | None
    lines: tuple[TrustLine, ...]
    purposes: tuple[str, ...]
    default_purpose: str | None
    allows_test_authorities: bool


def summarise_trust(directory: Path) -> TrustSummary:
    """Load a trust directory as an inspection does, and say what is in it.

    Raises:
        TrustError: ``trust.missing``, ``trust.malformed``, ``policy.malformed``.
    """
    trust = load_trust(directory)
    names = {each.certificate.subject: each.name for each in trust.anchors.authorities}
    lines = [
        TrustLine(
            kind="csca" if each.is_self_signed else "link",
            name=each.name,
            until=each.not_after,
            detail="for tests only" if each.is_test else each.country,
            fingerprint=_fingerprint(each.der),
        )
        for each in trust.anchors.authorities
    ]
    lines += [
        TrustLine(
            kind="crl",
            name=names.get(each.issuer, "an authority that is not trusted"),
            until=each.next_update,
            detail=f"{len(each.revoked)} revoked",
            fingerprint=_fingerprint(each.der),
        )
        for each in trust.anchors.revocation_lists
    ]
    lines += [
        TrustLine(
            kind="stop-list",
            name=f"number {each.number}, by {each.signer.name}",
            until=each.next_update,
            detail=f"{len(each.stopped)} stopped",
            fingerprint=_fingerprint(each.der),
        )
        for each in trust.anchors.stop_lists
    ]
    lines += [
        TrustLine(
            kind="status-list",
            name=f"number {each.number}, by {each.signer.name}",
            until=each.next_update,
            detail=f"{len(each.states)} positions, as of {each.this_update:%Y-%m-%d %H:%M}Z",
            fingerprint=each.fingerprint,
        )
        for each in trust.anchors.status_lists
    ]
    policy = trust.policy
    return TrustSummary(
        bundle=installed(directory),
        lines=(*lines, *_roots_of_terminals(current_layout(directory) / "cvca")),
        purposes=tuple(sorted(policy.purposes)),
        default_purpose=policy.default_purpose,
        allows_test_authorities=policy.allow_test_authorities,
    )


def _roots_of_terminals(directory: Path) -> list[TrustLine]:
    if not directory.is_dir():
        return []
    try:
        found = read_certificates(directory)
    except PkiError as error:
        raise TrustError(f"{directory}: {error}", code="trust.malformed") from error
    return [
        TrustLine(
            kind="cvca",
            name=each.body.holder_reference.text,
            # It is valid to the last moment of its last day.
            until=datetime.combine(each.body.expiration_date, time.max, tzinfo=UTC),
            detail=f"from {each.body.effective_date}",
            fingerprint=_fingerprint(each.to_bytes()),
        )
        for each in found
    ]


def _fingerprint(der: bytes) -> str:
    return HashAlgorithm.SHA256.digest(der).hex()
