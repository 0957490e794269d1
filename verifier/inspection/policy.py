"""What a verifier demands of a card: the validated form of policy.toml (docs/policy.md).

A policy can ask for less than everything, and never for less than that the data be genuine: the checks 9.3 to
9.11 belong to every purpose. A policy without purposes is empty, and an empty policy accepts no card.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Self

from pki.certificates.anchor_scope import AnchorScope, AnchorScopes, TrustPurpose
from verifier.errors import TrustError
from verifier.inspection.anchor_rules import read_anchors
from verifier.inspection.checks import CheckName
from verifier.inspection.status_rules import StatusRules, read_status_rules

__all__ = ["DATA_CHECKS", "MAX_POLICY_BYTES", "Policy", "Purpose"]

MAX_POLICY_BYTES: Final = 65536

_FORMAT: Final = 1
_MAX_PURPOSES: Final = 32
_MAX_NAME_CHARACTERS: Final = 40
_JOURNAL_DAYS: Final = 365
_MAX_JOURNAL_DAYS: Final = 36500

_TOP_KEYS: Final = frozenset(
    {
        "format",
        "allow_test_authorities",
        "document_codes",
        "pace_parameter_ids",
        "default_purpose",
        "states",
        "purposes",
    }
)
_OPTIONAL_KEYS: Final = frozenset(
    {
        "allow_bac",
        "allow_other_signatures",
        "allow_signed_before_compromise",
        "anchors",
        "journal_days",
        "status",
    }
)
_PROTECTED_FILES: Final = "protected_files"
_STATUS: Final = "status"
_FILE_NAMES: Final = {f"DG{number}": number for number in range(1, 17)}

DATA_CHECKS: Final = (
    CheckName.SECURITY_OBJECT_SYNTAX,
    CheckName.SECURITY_OBJECT_SIGNATURE,
    CheckName.SECURITY_OBJECT_SIGNING_TIME,
    CheckName.SIGNER_CERTIFICATE,
    CheckName.SIGNER_PATH,
    CheckName.SIGNER_VALIDITY,
    CheckName.SIGNER_REVOCATION,
    CheckName.DATA_GROUPS_INTEGRITY,
    CheckName.DATA_GROUPS_COVERAGE,
)
"""What makes the assurance *data* (SPEC.md, 9.19); no purpose can do without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """One use of a card, and the checks that it must pass for it."""

    name: str
    required_checks: frozenset[CheckName]
    protected_files: frozenset[int] | None = None
    """The data groups that it needs of those that a chip may keep from a terminal; ``None``: all that it may read."""
    status: StatusRules | None = None
    """How old a status list may be for it; ``None``: as the policy says for all purposes."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= _MAX_NAME_CHARACTERS:
            raise _malformed(
                f"a purpose's name has {len(self.name)} characters, expected 1 to {_MAX_NAME_CHARACTERS}"
            )
        missing = [check.value for check in DATA_CHECKS if check not in self.required_checks]
        if missing:
            raise _malformed(
                f"purpose {self.name!r} does not require {missing[0]}, which no purpose can do without"
            )


_UNBOUND: Final = AnchorScopes(
    otherwise=AnchorScope(
        purposes=frozenset(
            {
                TrustPurpose.DOCUMENTS,
                TrustPurpose.STOP_LISTS,
                TrustPurpose.STATUS_LISTS,
                TrustPurpose.TRUST_BUNDLES,
            }
        ),
        states=None,
        document_codes=None,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of one verifier; ``states`` maps a state in the MRZ to the country in certificates (VNM to VN)."""

    allow_test_authorities: bool = False
    allow_bac: bool = False
    allow_signed_before_compromise: bool = False
    """Whether a card of a stopped signer may pass on a proof that witnesses saw its signature before (SPEC.md, 9.25)."""
    allow_other_signatures: bool = False
    document_codes: frozenset[str] = frozenset()
    pace_parameter_ids: frozenset[int] = frozenset()
    states: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    purposes: Mapping[str, Purpose] = field(default_factory=lambda: MappingProxyType({}))
    default_purpose: str | None = None
    status: StatusRules = field(default_factory=StatusRules)
    journal_days: int = _JOURNAL_DAYS
    """How many days a terminal keeps the records of its inspections."""
    anchors: Mapping[str, AnchorScope] | None = None
    """What each authority is trusted for, by its certificate's SHA-256 fingerprint; ``None`` where the file does not say."""
    scopes: AnchorScopes = field(init=False, compare=False, default=_UNBOUND)
    """What the authorities of the trust directory are bound to (SPEC.md, 9.7).

    Where the file binds none, all of them are there for documents, their lists and bundles: then 9.6 alone compares the
    document code, and 9.15 the state.
    """

    def __post_init__(self) -> None:
        if self.default_purpose is None and self.purposes:
            raise _malformed("there are purposes and no default_purpose")
        if self.default_purpose is not None and self.default_purpose not in self.purposes:
            raise _malformed(f"default_purpose {self.default_purpose!r} is none of the purposes")
        object.__setattr__(self, "states", MappingProxyType(dict(self.states)))
        object.__setattr__(self, "purposes", MappingProxyType(dict(self.purposes)))
        if self.anchors is not None:
            object.__setattr__(self, "anchors", MappingProxyType(dict(self.anchors)))
            object.__setattr__(self, "scopes", AnchorScopes(named=self.anchors))

    def required_checks(self, purpose: str | None = None) -> frozenset[CheckName]:
        """The checks that a card must pass; none for an empty policy, which therefore accepts nothing.

        Raises:
            TrustError: ``policy.unknown-purpose``.
        """
        found = self._purpose(purpose)
        return frozenset() if found is None else found.required_checks

    def protected_files(self, purpose: str | None = None) -> frozenset[int] | None:
        """The protected data groups that a purpose needs; ``None``: all that the terminal may read.

        Raises:
            TrustError: ``policy.unknown-purpose``.
        """
        found = self._purpose(purpose)
        return frozenset() if found is None else found.protected_files

    def status_rules(self, purpose: str | None = None) -> StatusRules:
        """How old a status list may be for a purpose.

        Raises:
            TrustError: ``policy.unknown-purpose``.
        """
        found = self._purpose(purpose)
        return self.status if found is None or found.status is None else found.status

    def _purpose(self, purpose: str | None) -> Purpose | None:
        if purpose is None:
            return None if self.default_purpose is None else self.purposes[self.default_purpose]
        if purpose not in self.purposes:
            known = ", ".join(sorted(self.purposes)) or "none"
            raise TrustError(
                f"got purpose {purpose[:_MAX_NAME_CHARACTERS]!r}, expected one of the policy's: {known}",
                code="policy.unknown-purpose",
            )
        return self.purposes[purpose]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse policy.toml; a file without any key is the empty policy.

        Raises:
            TrustError: ``policy.malformed``; an unknown key is refused, because it might be a rule meant to hold.
        """
        if len(data) > MAX_POLICY_BYTES:
            raise _malformed(
                f"the policy has {len(data)} bytes, expected at most {MAX_POLICY_BYTES}"
            )
        try:
            document = tomllib.loads(data.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            # Not only TOMLDecodeError: a number of more than 4300 digits is a bare ValueError.
            raise _malformed("the policy is not TOML in UTF-8") from error
        if not document:
            return cls()
        return cls._from_document(document)

    @classmethod
    def _from_document(cls, document: Mapping[str, Any]) -> Self:
        _check_keys(document, _TOP_KEYS, "the policy", optional=_OPTIONAL_KEYS)
        if document["format"] != _FORMAT or isinstance(document["format"], bool):
            raise _malformed(f"format is not {_FORMAT}")
        status = StatusRules()
        if _STATUS in document:
            status = read_status_rules(document[_STATUS], _STATUS, default=status)
        purposes = {
            name: Purpose(
                name=name,
                required_checks=_required_checks(name, table),
                protected_files=_protected_files(name, table),
                status=_purpose_status(name, table, status),
            )
            for name, table in _table(document["purposes"], "purposes").items()
        }
        default_purpose = document["default_purpose"]
        if not isinstance(default_purpose, str):
            raise _malformed("default_purpose is not a text")
        states = _states(document["states"])
        document_codes = frozenset(_texts(document["document_codes"], "document_codes", (1, 2)))
        return cls(
            allow_test_authorities=_truth(document, "allow_test_authorities"),
            # Left out, the old way into chips stays shut: only a rule that is spelled out opens it.
            allow_bac="allow_bac" in document and _truth(document, "allow_bac"),
            allow_signed_before_compromise=(
                "allow_signed_before_compromise" in document
                and _truth(document, "allow_signed_before_compromise")
            ),
            allow_other_signatures="allow_other_signatures" in document
            and _truth(document, "allow_other_signatures"),
            document_codes=document_codes,
            pace_parameter_ids=_parameter_ids(document["pace_parameter_ids"]),
            states=states,
            purposes=purposes,
            default_purpose=default_purpose,
            status=status,
            journal_days=_journal_days(document),
            anchors=(
                read_anchors(document["anchors"], states=states, document_codes=document_codes)
                if "anchors" in document
                else None
            ),
        )


def _malformed(message: str) -> TrustError:
    return TrustError(message, code="policy.malformed")


def _journal_days(document: Mapping[str, Any]) -> int:
    days = document.get("journal_days", _JOURNAL_DAYS)
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= _MAX_JOURNAL_DAYS:
        raise _malformed(f"journal_days is not a number from 1 to {_MAX_JOURNAL_DAYS}")
    return days


def _truth(document: Mapping[str, Any], key: str) -> bool:
    value = document[key]
    if not isinstance(value, bool):
        raise _malformed(f"{key} is neither true nor false")
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
        raise _malformed(f"{name} has an unknown key {unknown[0][:_MAX_NAME_CHARACTERS]!r}")
    missing = sorted(expected - set(table))
    if missing:
        raise _malformed(f"{name} lacks the key {missing[0]}")


def _table(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not 1 <= len(value) <= _MAX_PURPOSES:
        raise _malformed(f"{name} is not a table of 1 to {_MAX_PURPOSES} keys")
    return value


def _texts(value: object, name: str, lengths: tuple[int, int]) -> tuple[str, ...]:
    low, high = lengths
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_PURPOSES:
        raise _malformed(f"{name} is not a list of 1 to {_MAX_PURPOSES} texts")
    for item in value:
        if not isinstance(item, str) or not low <= len(item) <= high:
            raise _malformed(f"{name} holds something else than texts of {low} to {high} letters")
    if len(set(value)) != len(value):
        raise _malformed(f"{name} holds a text twice")
    return tuple(value)


def _parameter_ids(value: object) -> frozenset[int]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_PURPOSES:
        raise _malformed(f"pace_parameter_ids is not a list of 1 to {_MAX_PURPOSES} numbers")
    for item in value:
        # ICAO 9303-11, 9.5.1: standardised domain parameters have the numbers 0 to 31.
        if not isinstance(item, int) or isinstance(item, bool) or not 0 <= item <= 31:
            raise _malformed("pace_parameter_ids holds something else than numbers from 0 to 31")
    if len(set(value)) != len(value):
        raise _malformed("pace_parameter_ids holds a number twice")
    return frozenset(value)


def _states(value: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for state, country in _table(value, "states").items():
        if not (state.isascii() and state.isalpha() and state.isupper() and len(state) <= 3):
            raise _malformed("states has a key that is not a state of the MRZ, as VNM is one")
        if not isinstance(country, str) or not (
            country.isascii() and country.isalpha() and country.isupper() and len(country) == 2
        ):
            raise _malformed(f"the country of state {state} is not two capital letters")
        found[state] = country
    return found


def _protected_files(purpose: str, table: Mapping[str, Any]) -> frozenset[int] | None:
    """What ``_required_checks`` has found to be a table says of protected files."""
    if _PROTECTED_FILES not in table:
        return None
    value = table[_PROTECTED_FILES]
    if not isinstance(value, list) or not all(
        isinstance(item, str) and item in _FILE_NAMES for item in value
    ):
        raise _malformed(
            f"protected_files of purpose {purpose[:_MAX_NAME_CHARACTERS]!r} is not a list of files DG1 to DG16"
        )
    if len(set(value)) != len(value):
        raise _malformed(
            f"protected_files of purpose {purpose[:_MAX_NAME_CHARACTERS]!r} holds a file twice"
        )
    return frozenset(_FILE_NAMES[item] for item in value)


def _purpose_status(
    purpose: str, table: Mapping[str, Any], default: StatusRules
) -> StatusRules | None:
    if _STATUS not in table:
        return None
    name = f"status of purpose {purpose[:_MAX_NAME_CHARACTERS]!r}"
    return read_status_rules(table[_STATUS], name, default=default)


def _required_checks(purpose: str, table: object) -> frozenset[CheckName]:
    name = f"purpose {purpose[:_MAX_NAME_CHARACTERS]!r}"
    if not isinstance(table, dict):
        raise _malformed(f"{name} is not a table")
    _check_keys(
        table, frozenset({"required_checks"}), name, optional=frozenset({_PROTECTED_FILES, _STATUS})
    )
    checks: set[CheckName] = set()
    for text in _texts(table["required_checks"], f"required_checks of {name}", (1, 64)):
        try:
            checks.add(CheckName(text))
        except ValueError as error:
            raise _malformed(f"{name} requires {text!r}, which is no check") from error
    return frozenset(checks)
