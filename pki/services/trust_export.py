"""What verifiers need of an authority: its certificates and links, CRL, stop list, and a policy that demands everything."""

from dataclasses import dataclass, field
from typing import Final

from pki.certificates.authority_path import fingerprint
from pki.certificates.trust import Authority
from pki.errors import PkiRefusedError
from pki.services.authority import AUTHORITY_KEY_ID, link_name
from pki.services.state import PkiState

__all__ = ["TrustFile", "export_trust"]

_REQUIRED_CHECKS: Final = (
    "card.life-cycle",
    "access.pace",
    "security-object.syntax",
    "security-object.signature",
    "security-object.signing-time",
    "signer.certificate",
    "signer.path",
    "signer.validity",
    "signer.revocation",
    "data-groups.integrity",
    "data-groups.coverage",
    "common-data.consistency",
    "access.parameters-signed",
    "data-groups.content",
    "holder.consistency",
    "card.validity",
    "chip.authentication",
    "status.reference",
)
"""Every check of SPEC.md, 9: a verifier may ask for less, and this export never does."""

_STATUS_CHECK: Final = "status.card"
"""Asked for as soon as there is a status list; before that it would refuse every card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFile:
    """One file of a trust directory; one that is ``kept`` is never written over, because people edit it."""

    path: str
    content: bytes = field(repr=False)
    is_kept: bool = False


def export_trust(state: PkiState, *, status_list: bytes | None = None) -> tuple[TrustFile, ...]:
    """The files of a trust directory (docs/policy.md), with the newest status list where there is one.

    Raises:
        PkiRefusedError: ``authority.missing``; ``crl.missing``: without a CRL every card would be refused.
    """
    if state.authority_id is None or state.authority_certificate is None:
        raise PkiRefusedError(
            "there is no authority yet",
            code="authority.missing",
            hint="membercard-pki authority create",
        )
    if state.crl is None:
        raise PkiRefusedError(
            "the authority has issued no CRL, and without one every card is refused",
            code="crl.missing",
            hint="membercard-pki crl issue",
        )
    authority = Authority.from_bytes(state.authority_certificate)
    first = next(item for item in state.authorities.values() if item.certificate is not None)
    certificates = [
        (name, certificate)
        for key_id, record in state.authorities.items()
        for name, certificate in ((key_id, record.certificate), (link_name(key_id), record.link))
        # A key whose roll-over broke off before the link is nobody's authority yet.
        if certificate is not None and (record.link is not None or record is first)
    ]
    return (
        *(TrustFile(path=f"csca/{name}.cer", content=der) for name, der in certificates),
        TrustFile(path=f"crl/{AUTHORITY_KEY_ID}.crl", content=state.crl),
        *(
            ()
            if state.stop_list is None
            else (TrustFile(path=f"stop/{AUTHORITY_KEY_ID}.stop", content=state.stop_list),)
        ),
        *(
            ()
            if status_list is None
            else (TrustFile(path=f"status/{AUTHORITY_KEY_ID}.status", content=status_list),)
        ),
        TrustFile(
            path="policy.toml",
            content=_policy(
                root=certificates[0][1],
                is_test=authority.is_test,
                has_status=status_list is not None,
            ).encode(),
            is_kept=True,
        ),
    )


def _policy(*, root: bytes, is_test: bool, has_status: bool) -> str:
    required = (*_REQUIRED_CHECKS, _STATUS_CHECK) if has_status else _REQUIRED_CHECKS
    checks = "".join(f'  "{name}",\n' for name in required)
    mark = (
        "true             # cards of this authority are for tests and demonstrations"
        if is_test
        else "false"
    )
    return (
        "# What this terminal demands of a card: docs/policy.md.\n"
        "format = 1\n"
        f"allow_test_authorities = {mark}\n"
        'document_codes = ["CM"]\n'
        "pace_parameter_ids = [12, 13]\n"
        'default_purpose = "inspection"\n'
        "\n"
        "[states]\n"
        'VNM = "VN"\n'
        "\n"
        "[purposes.inspection]\n"
        f"required_checks = [\n{checks}]\n"
        "\n"
        "# What each authority in csca/ is trusted for. Others are trusted for nothing; the next keys of this one need no line.\n"
        "[[anchors]]\n"
        f'certificate = "sha256:{fingerprint(root)}"\n'
        'purposes = ["documents", "stop-lists", "status-lists", "trust-bundles"]\n'
        'states = ["VNM"]\n'
        'document_codes = ["CM"]\n'
    )
