"""``import.toml``: which certificates of a master list are trusted for what (docs/master-lists.md, docs/import.schema.json).

Nothing is trusted that no rule names, and for member cards only what a rule names by its fingerprint.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Self

from pki.certificates.anchor_policy import (
    malformed,
    read_fingerprint,
    read_scope,
    read_table,
)
from pki.certificates.anchor_scope import AnchorScope, TrustPurpose
from pki.certificates.imported_anchors import check_import_name

__all__ = ["ImportPolicy", "ImportRule"]

_FORMAT: Final = 1
_MAX_POLICY_BYTES: Final = 65536
_MAX_RULES: Final = 256
_MAX_CERTIFICATES: Final = 256
_MAX_AGE_DAYS: Final = 3650
_KEYS: Final = frozenset({"format", "name", "country", "max_age_days", "require_crl", "rules"})
_RULE_KEYS: Final = frozenset({"country", "purposes"})
_OPTIONAL_RULE_KEYS: Final = frozenset({"certificates", "states", "document_codes"})
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRule:
    """Certificates of one country, all of them or those with these fingerprints, and what they are trusted for."""

    country: str
    certificates: frozenset[str] | None
    scope: AnchorScope

    def names(self, country: str | None, fingerprint: str) -> bool:
        """Whether the rule is about a certificate; one whose country nobody can read only by its fingerprint."""
        if self.certificates is not None:
            return fingerprint in self.certificates and country in {None, self.country}
        return country == self.country


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPolicy:
    """The validated form of import.toml; ``country`` is that of the list's signer."""

    name: str
    country: str
    max_age: timedelta
    requires_crl: bool
    rules: tuple[ImportRule, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse import.toml; an unknown or a missing key is refused, because it might be a rule meant to hold.

        Raises:
            PkiDataError: ``policy.malformed``.
        """
        document = read_table(data, _MAX_POLICY_BYTES, "import.toml")
        _check_keys(document, _KEYS, "import.toml")
        if document["format"] != _FORMAT or isinstance(document["format"], bool):
            raise malformed(f"import.toml is not of format {_FORMAT}")
        days, requires_crl, rules = (
            document[key] for key in ("max_age_days", "require_crl", "rules")
        )
        if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= _MAX_AGE_DAYS:
            raise malformed(f"max_age_days is not a number from 1 to {_MAX_AGE_DAYS}")
        if not isinstance(requires_crl, bool):
            raise malformed("require_crl is neither true nor false")
        if not isinstance(rules, list) or not 1 <= len(rules) <= _MAX_RULES:
            raise malformed(f"rules is not a list of 1 to {_MAX_RULES} tables")
        name = document["name"]
        if not isinstance(name, str):
            raise malformed("name is not a text")
        check_import_name(name)
        return cls(
            name=name,
            country=_country(document["country"], "country"),
            max_age=timedelta(days=days),
            requires_crl=requires_crl,
            rules=tuple(_rule(item, index) for index, item in enumerate(rules, start=1)),
        )

    def rule_for(self, country: str | None, fingerprint: str) -> ImportRule | None:
        """The first rule that is about a certificate."""
        return next((rule for rule in self.rules if rule.names(country, fingerprint)), None)


def _rule(item: object, index: int) -> ImportRule:
    name = f"rule {index} of import.toml"
    if not isinstance(item, dict):
        raise malformed(f"{name} is not a table")
    _check_keys(item, _RULE_KEYS, name, optional=_OPTIONAL_RULE_KEYS)
    scope = read_scope(item, name)
    certificates = _certificates(item["certificates"], name) if "certificates" in item else None
    if TrustPurpose.DOCUMENTS in scope.purposes and certificates is None:
        raise malformed(
            f"{name} is for documents, which are member cards, and names no certificates: "
            "expected the fingerprint of each"
        )
    return ImportRule(
        country=_country(item["country"], f"country of {name}"),
        certificates=certificates,
        scope=scope,
    )


def _certificates(value: object, name: str) -> frozenset[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_CERTIFICATES:
        raise malformed(f"certificates of {name} is not a list of 1 to {_MAX_CERTIFICATES} texts")
    found = frozenset(read_fingerprint(text, f"a certificate of {name}") for text in value)
    if len(found) != len(value):
        raise malformed(f"certificates of {name} holds a text twice")
    return found


def _country(value: object, name: str) -> str:
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        raise malformed(f"{name} is not two capital letters")
    return value


def _check_keys(
    table: Mapping[str, Any],
    expected: frozenset[str],
    name: str,
    *,
    optional: frozenset[str] = frozenset(),
) -> None:
    unknown = sorted(set(table) - expected - optional)
    if unknown:
        raise malformed(f"{name} has an unknown key {unknown[0][:40]!r}")
    missing = sorted(expected - set(table))
    if missing:
        raise malformed(f"{name} lacks the key {missing[0]}")
