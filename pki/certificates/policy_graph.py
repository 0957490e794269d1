"""Which certificate policies hold along a path: RFC 5280, 6.1 with the graph of RFC 9618 in place of the tree.

The tree of RFC 5280 can grow exponentially with hostile mappings; in the graph every policy is one node a depth, so
the work is bounded by the sizes of the certificates.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from cryptography.hazmat import asn1

from card_layout import der, tlv
from card_layout.errors import CardDataError
from pki.certificates.certificate import CertificateError

__all__ = [
    "ANY_POLICY",
    "INHIBIT_ANY_POLICY",
    "POLICY_CONSTRAINTS",
    "POLICY_MAPPINGS",
    "PolicyGraph",
    "decode_inhibit_any_policy",
    "decode_policy_constraints",
    "decode_policy_mappings",
]

ANY_POLICY: Final = "2.5.29.32.0"
POLICY_MAPPINGS: Final = "2.5.29.33"
POLICY_CONSTRAINTS: Final = "2.5.29.36"
INHIBIT_ANY_POLICY: Final = "2.5.29.54"
_REQUIRE_EXPLICIT_POLICY: Final = 0x80
_INHIBIT_POLICY_MAPPING: Final = 0x81


@dataclass(slots=True)
class _Node:
    expected: set[str]
    parents: set[str]


@dataclass(slots=True)
class PolicyGraph:
    """``levels[i]`` are the policies that are valid at depth i; an empty last level is the graph NULL."""

    levels: list[dict[str, _Node]] = field(
        default_factory=lambda: [{ANY_POLICY: _Node({ANY_POLICY}, set())}]
    )

    @property
    def is_null(self) -> bool:
        """Whether no policy holds any more."""
        return not self.levels[-1]

    def add_certificate(self, policies: Iterable[str], *, is_any_allowed: bool) -> None:
        """RFC 9618, 5.4 (d): one more depth, for the policies that a certificate names."""
        named = set(policies)
        before = self.levels[-1]
        level: dict[str, _Node] = {}
        for policy in sorted(named - {ANY_POLICY}):
            parents = {name for name, node in before.items() if policy in node.expected}
            if not parents and ANY_POLICY in before:
                parents = {ANY_POLICY}
            if parents:
                level[policy] = _Node({policy}, parents)
        if ANY_POLICY in named and is_any_allowed:
            wanted = {policy for node in before.values() for policy in node.expected}
            for policy in sorted(wanted - set(level)):
                parents = {name for name, node in before.items() if policy in node.expected}
                level[policy] = _Node({policy}, parents)
        self.levels.append(level)

    def end(self) -> None:
        """RFC 5280, 6.1.3 (e): a certificate without policies ends them."""
        self.levels.append({})

    def apply_mappings(self, mappings: dict[str, set[str]], *, is_allowed: bool) -> None:
        """RFC 9618, 5.5 (b): what one authority calls one policy, the next calls another."""
        level = self.levels[-1]
        for policy, subject_policies in mappings.items():
            if not is_allowed:
                level.pop(policy, None)
            elif policy in level:
                level[policy].expected = set(subject_policies)
            elif ANY_POLICY in level:
                level[policy] = _Node(set(subject_policies), set(level[ANY_POLICY].parents))

    def valid_policies(self, wanted: frozenset[str]) -> frozenset[str]:
        """RFC 9618, 5.6 (g): what holds of the policies that the user would take; ``ANY_POLICY`` where all may."""
        reachable = self._reachable()
        authority: set[str] = {
            policy
            for before, level in pairwise(reachable)
            for policy, node in level.items()
            if policy != ANY_POLICY and ANY_POLICY in node.parents and ANY_POLICY in before
        }
        if ANY_POLICY in reachable[-1]:
            authority.add(ANY_POLICY)
        if ANY_POLICY in authority:
            return wanted
        if ANY_POLICY in wanted:
            return frozenset(authority)
        return frozenset(authority) & wanted

    def _reachable(self) -> list[dict[str, _Node]]:
        """The nodes from which the last depth is reached."""
        found = [dict(self.levels[-1])]
        for level in reversed(self.levels[:-1]):
            needed = {parent for node in found[0].values() for parent in node.parents}
            found.insert(0, {name: node for name, node in level.items() if name in needed})
        return found


def decode_policy_mappings(encoded: bytes) -> dict[str, set[str]]:
    """The subject's policies by the issuer's policy.

    Raises:
        CertificateError: ``certificate.malformed``: also where anything is mapped to or from any policy.
    """
    found: dict[str, set[str]] = {}
    try:
        for pair in tlv.parse(encoded, expected_tag=der.SEQUENCE).children():
            issuer, subject = (_policy(item) for item in pair.children())
            found.setdefault(issuer, set()).add(subject)
    except (CardDataError, ValueError) as error:
        raise CertificateError("policy mappings are not what RFC 5280, 4.2.1.5 says") from error
    if ANY_POLICY in found or any(ANY_POLICY in subjects for subjects in found.values()):
        raise CertificateError("a policy is mapped to or from any policy")
    return found


def decode_policy_constraints(encoded: bytes) -> tuple[int | None, int | None]:
    """After how many certificates policies must hold, and mappings may no longer be.

    Raises:
        CertificateError: ``certificate.malformed``.
    """
    known = ([_REQUIRE_EXPLICIT_POLICY], [_INHIBIT_POLICY_MAPPING])
    try:
        parts = tlv.parse(encoded, expected_tag=der.SEQUENCE).children()
        values = {part.tag: der.decode_integer(part.value) for part in parts}
    except (CardDataError, ValueError) as error:
        raise CertificateError("policy constraints are not what RFC 5280, 4.2.1.11 says") from error
    if [part.tag for part in parts] not in (*known, known[0] + known[1]):
        raise CertificateError("policy constraints hold none, or another one")
    return values.get(_REQUIRE_EXPLICIT_POLICY), values.get(_INHIBIT_POLICY_MAPPING)


def decode_inhibit_any_policy(encoded: bytes) -> int:
    """After how many certificates any policy counts no longer.

    Raises:
        CertificateError: ``certificate.malformed``.
    """
    try:
        value = asn1.decode_der(int, encoded)
    except ValueError as error:
        raise CertificateError("inhibit-any-policy is no INTEGER") from error
    if value < 0:
        raise CertificateError("inhibit-any-policy is negative")
    return value


def _policy(item: tlv.Tlv) -> str:
    if item.tag != der.OBJECT_IDENTIFIER:
        raise ValueError("a policy is no OBJECT IDENTIFIER")
    return der.decode_object_identifier(item.value)
