"""What a trust anchor is trusted for: a purpose, and for documents the states and document codes (SPEC.md, 9.7).

A passport's authority is real, and its chain holds; what keeps a passport from being a member card is that nobody
bound its authority to member cards. An anchor that is bound to nothing is trusted for nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final

__all__ = [
    "DOCUMENT_PURPOSES",
    "NO_SCOPE",
    "AnchorScope",
    "AnchorScopes",
    "TrustDemand",
    "TrustPurpose",
]


class TrustPurpose(Enum):
    """What somebody below an anchor may do; the value stands in ``policy.toml``."""

    DOCUMENTS = "documents"
    """Certify signers of member cards."""

    STOP_LISTS = "stop-lists"
    """Certify who stops document signers."""

    STATUS_LISTS = "status-lists"
    """Certify who says what single cards count as."""

    TRUST_BUNDLES = "trust-bundles"
    """Certify who brings terminals all of this in one file."""

    MASTER_LISTS = "master-lists"
    """Certify who signs lists of other states' authorities."""

    TRAVEL_DOCUMENTS = "travel-documents"
    """Certify signers of passports and identity cards; never of member cards, whatever code these bear."""


DOCUMENT_PURPOSES: Final = frozenset({TrustPurpose.DOCUMENTS, TrustPurpose.TRAVEL_DOCUMENTS})
"""The purposes that have states and document codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustDemand:
    """What is asked of an anchor: a purpose; for a document its state (as in the MRZ) and document code, too."""

    purpose: TrustPurpose
    state: str | None = None
    document_code: str | None = None

    def __str__(self) -> str:
        """For people: ``documents CM of VNM``."""
        parts = [self.purpose.value]
        if self.document_code is not None:
            parts.append(self.document_code)
        if self.state is not None:
            parts.append(f"of {self.state}")
        return " ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorScope:
    """What one anchor is bound to; states and document codes count for ``DOCUMENT_PURPOSES`` alone.

    ``None`` leaves the document code to whoever compares it with policy (SPEC.md, 9.6), and the state to whoever
    compares it with the certificates' countries (9.15).
    """

    purposes: frozenset[TrustPurpose]
    states: frozenset[str] | None = frozenset()
    document_codes: frozenset[str] | None = frozenset()

    def admits(self, demand: TrustDemand) -> bool:
        """Whether everything that is asked for is in the scope; a document without state or code never is."""
        if demand.purpose not in self.purposes:
            return False
        if demand.purpose not in DOCUMENT_PURPOSES:
            return True
        is_state = self.states is None or demand.state in self.states
        return is_state and (
            self.document_codes is None or demand.document_code in self.document_codes
        )

    def __str__(self) -> str:
        """For people."""
        purposes = ", ".join(sorted(item.value for item in self.purposes)) or "nothing"
        if not self.purposes & DOCUMENT_PURPOSES:
            return purposes
        return f"{purposes} (codes {_shown(self.document_codes)}; states {_shown(self.states)})"


def _shown(texts: frozenset[str] | None) -> str:
    return "any" if texts is None else ", ".join(sorted(texts)) or "none"


NO_SCOPE: Final = AnchorScope(purposes=frozenset())
"""Trusted for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorScopes:
    """The scopes of all anchors: ``named`` by the SHA-256 fingerprint of a certificate in hex, ``otherwise`` for the rest."""

    named: Mapping[str, AnchorScope] = field(default_factory=lambda: MappingProxyType({}))
    otherwise: AnchorScope = NO_SCOPE

    def __post_init__(self) -> None:
        object.__setattr__(self, "named", MappingProxyType(dict(self.named)))
