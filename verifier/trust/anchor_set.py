"""What all trust of a layout stands on, each as one line: whatever is new here takes two people (docs/policy.md)."""

from pathlib import Path

from pki.certificates.authority_path import fingerprint
from pki.errors import PkiError
from pki.keys.algorithms import HashAlgorithm
from pki.services.terminal_export import read_certificates
from verifier.errors import TrustError
from verifier.trust.directory import Trust

__all__ = ["anchor_lines"]


def anchor_lines(trust: Trust, layout: Path) -> frozenset[str]:
    """The roots of ``csca/`` with what they are trusted for, the CVCAs of ``cvca/``, and the log's policy.

    Links are none: they count only by the word of a root. What a root is trusted for belongs to it: a root that is
    trusted for more is a new one.

    Raises:
        TrustError: ``trust.malformed``.
    """
    scopes = trust.policy.scopes
    lines = set()
    for authority in trust.anchors.authorities:
        if authority.is_self_signed:
            digest = fingerprint(authority.der)
            scope = scopes.named.get(digest, scopes.otherwise)
            lines.add(f"csca {digest} {scope}")
    if (layout / "cvca").is_dir():
        try:
            certificates = read_certificates(layout / "cvca")
        except PkiError as error:
            raise TrustError(str(error), code="trust.malformed") from error
        lines |= {
            f"cvca {HashAlgorithm.SHA256.digest(item.to_bytes()).hex()} {item.body.holder_reference.text}"
            for item in certificates
            if item.body.is_self_signed
        }
    log_policy = layout / "log" / "log.policy"
    if trust.log_policy is not None:
        lines.add(f"log {HashAlgorithm.SHA256.digest(log_policy.read_bytes()).hex()}")
    return frozenset(lines)
