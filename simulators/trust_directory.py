"""The directory that tells a terminal whom to trust: certificates, revocation lists, policy (docs/policy.md)."""

import hashlib
import json
import tomllib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pki.certificates.authority_path import fingerprint
from simulators.authority import TestAuthority
from simulators.errors import SimulatorError

__all__ = ["TEST_POLICY", "add_to_trust_directory", "write_trust_directory"]

TEST_POLICY = """\
# Every check, for cards of test authorities.
format = 1
allow_test_authorities = true
document_codes = ["CM"]
pace_parameter_ids = [12, 13]
default_purpose = "inspection"

[states]
VNM = "VN"

[purposes.inspection]
required_checks = [
  "card.life-cycle", "access.pace", "security-object.syntax", "security-object.signature",
  "security-object.signing-time", "signer.certificate", "signer.path", "signer.validity",
  "signer.revocation", "data-groups.integrity", "data-groups.coverage", "common-data.consistency",
  "access.parameters-signed", "data-groups.content", "holder.consistency", "card.validity",
  "chip.authentication", "status.reference",
]
"""
"""A policy that demands everything and allows test authorities."""


def write_trust_directory(
    directory: Path,
    authorities: Sequence[TestAuthority],
    *,
    now: datetime,
    policy: str = TEST_POLICY,
) -> None:
    """Write a complete trust directory for tests; an existing policy is replaced.

    Raises:
        SimulatorError: ``trust.not-written``.
    """
    try:
        for folder in ("csca", "crl"):
            (directory / folder).mkdir(parents=True, exist_ok=True)
        (directory / "policy.toml").write_text(policy, encoding="utf-8")
    except OSError as error:
        raise _not_written(directory, error) from error
    for authority in authorities:
        add_to_trust_directory(directory, authority, now=now)


def add_to_trust_directory(
    directory: Path, authority: TestAuthority, *, now: datetime, bind: bool = False
) -> None:
    """Add one authority's certificate and a CRL that is current at ``now``.

    Args:
        directory: an existing trust directory.
        authority: whose cards shall count.
        now: aware.
        bind: where the policy binds authorities to documents, bind this one to all that the policy knows.

    Raises:
        SimulatorError: ``trust.not-found``: no such directory; ``trust.not-written``; ``trust.malformed``: its
            policy is not TOML.
    """
    if not (directory / "csca").is_dir() or not (directory / "crl").is_dir():
        raise SimulatorError(
            f"{directory} is no trust directory: it lacks csca or crl",
            code="trust.not-found",
            hint="membercard-pki trust export makes one",
        )
    digest = hashlib.sha256(authority.root.certificate).hexdigest()[:16]
    try:
        (directory / "csca" / f"test-{digest}.cer").write_bytes(authority.root.certificate)
        (directory / "crl" / f"test-{digest}.crl").write_bytes(authority.revocation_list(now=now))
        if bind:
            _bind(directory / "policy.toml", authority)
    except OSError as error:
        raise _not_written(directory, error) from error


def _bind(path: Path, authority: TestAuthority) -> None:
    """Append the authority's line to a policy that has lines for authorities, and none for this one."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8")
    try:
        policy = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SimulatorError(f"{path} is not TOML: {error}", code="trust.malformed") from error
    name = f"sha256:{fingerprint(authority.root.certificate)}"
    anchors = policy.get("anchors")
    if not anchors or any(anchor.get("certificate") == name for anchor in anchors):
        return
    lines = [
        "",
        "# A test authority.",
        "[[anchors]]",
        f'certificate = "{name}"',
        'purposes = ["documents"]',
        f"states = {json.dumps(sorted(policy['states']))}",
        f"document_codes = {json.dumps(sorted(policy['document_codes']))}",
    ]
    path.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")


def _not_written(directory: Path, error: OSError) -> SimulatorError:
    return SimulatorError(
        f"trust directory {directory} cannot be written: {error.strerror}",
        code="trust.not-written",
    )
