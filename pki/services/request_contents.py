"""What can be asked for through the API, as data: kinds, their fields with bounds, who decides and how many of them.

A request's content is a JSON object of plain fields. It is checked against the table of its kind, and kept in one
canonical encoding, whose SHA-256 digest goes into the journal when the request is carried out.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Self

from pki.errors import PkiDataError
from pki.keys.algorithms import HashAlgorithm

__all__ = [
    "CONTENT_RULES",
    "MAX_CONTENT_CHARACTERS",
    "Binary",
    "ContentRule",
    "FieldRule",
    "Names",
    "Number",
    "Numbers",
    "RequestContent",
    "RequestKind",
    "Text",
]

MAX_CONTENT_CHARACTERS: Final = 48 * 1024

_ID: Final = r"[a-z][a-z0-9-]{0,31}"
_HOST: Final = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
_HOLDER: Final = r"[A-Z]{2}[A-Z0-9]{1,9}"
_PRINTABLE: Final = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,200}"


class RequestKind(StrEnum):
    """What is asked for; the values stand in journals and never change."""

    CRL_ISSUE = "crl.issue"
    SIGNER_CREATE = "signer.create"
    SIGNER_REVOKE = "signer.revoke"
    SERVICE_ISSUE = "service.issue"
    SERVICE_REVOKE = "service.revoke"
    OPERATOR_ENROL = "operator.enrol"
    OPERATOR_REVOKE = "operator.revoke"
    TERMINAL_ISSUE = "terminal.issue"
    TERMINAL_BLOCK = "terminal.block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that the pattern matches as a whole."""

    pattern: str
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A whole number within bounds."""

    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """Bytes in base64 (RFC 4648, 4, with padding)."""

    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Different texts, each matched by the pattern as a whole."""

    pattern: str
    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Different whole numbers within bounds."""

    least: int
    most: int


FieldRule = Text | Number | Binary | Names | Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRule:
    """One kind: its fields, how many different people besides the requester approve, and an example."""

    fields: Mapping[str, FieldRule]
    approvals: int
    example: Mapping[str, Any] = field(repr=False)


_REASON: Final = Text(pattern=_PRINTABLE, most=200)
_NAME: Final = Text(pattern=_ID, most=32)
_CSR: Final = Binary(most=16384)
_CSR_EXAMPLE: Final = base64.b64encode(b"a certification request, DER").decode()

CONTENT_RULES: Final[Mapping[RequestKind, ContentRule]] = MappingProxyType(
    {
        RequestKind.CRL_ISSUE: ContentRule(
            fields={"days": Number(least=1, most=90)}, approvals=1, example={"days": 90}
        ),
        RequestKind.SIGNER_CREATE: ContentRule(
            fields={"signer": _NAME, "profile": _NAME},
            approvals=2,
            example={"signer": "ds-2", "profile": "document-signer"},
        ),
        RequestKind.SIGNER_REVOKE: ContentRule(
            fields={"signer": _NAME, "reason": _REASON},
            approvals=2,
            example={"signer": "ds-1", "reason": "no longer needed"},
        ),
        RequestKind.SERVICE_ISSUE: ContentRule(
            fields={
                "service": _NAME,
                "name": Text(
                    pattern=r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,59}", most=59
                ),
                "hosts": Names(pattern=_HOST, least=1, most=16),
                "request": _CSR,
            },
            approvals=1,
            example={
                "service": "card-api",
                "name": "Card API",
                "hosts": ["cards.example"],
                "request": _CSR_EXAMPLE,
            },
        ),
        RequestKind.SERVICE_REVOKE: ContentRule(
            fields={"service": _NAME, "reason": _REASON},
            approvals=1,
            example={"service": "card-api", "reason": "key lost"},
        ),
        RequestKind.OPERATOR_ENROL: ContentRule(
            fields={
                "operator": _NAME,
                "roles": Names(pattern="auditor|registrar|officer", least=1, most=3),
                "request": _CSR,
            },
            approvals=2,
            example={"operator": "lan", "roles": ["registrar"], "request": _CSR_EXAMPLE},
        ),
        RequestKind.OPERATOR_REVOKE: ContentRule(
            fields={"operator": _NAME, "reason": _REASON},
            approvals=1,
            example={"operator": "lan", "reason": "has left"},
        ),
        RequestKind.TERMINAL_ISSUE: ContentRule(
            fields={"request": Binary(most=8192), "files": Numbers(least=1, most=16)},
            approvals=1,
            example={
                "request": base64.b64encode(b"a CV certificate request").decode(),
                "files": [13],
            },
        ),
        RequestKind.TERMINAL_BLOCK: ContentRule(
            fields={"holder": Text(pattern=_HOLDER, most=11), "reason": _REASON},
            approvals=1,
            example={"holder": "VNGATE7", "reason": "stolen"},
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContent:
    """A checked content of one kind."""

    kind: RequestKind
    values: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_document(cls, kind: object, values: object) -> Self:
        """Check what was asked for against the table.

        Raises:
            PkiDataError: ``request.kind-unknown``, ``request.content-invalid``.
        """
        if not isinstance(kind, str) or kind not in {each.value for each in RequestKind}:
            raise PkiDataError(
                f"kind is {str(kind)[:40]!r}, expected one of {', '.join(RequestKind)}",
                code="request.kind-unknown",
            )
        known = RequestKind(kind)
        rules = CONTENT_RULES[known].fields
        if not isinstance(values, Mapping) or set(values) != set(rules):
            raise _invalid(f"content of {known} has not exactly the fields {sorted(rules)}")
        for name, rule in rules.items():
            _check(name, rule, values[name])
        content = cls(kind=known, values=MappingProxyType(dict(values)))
        if len(content.to_json()) > MAX_CONTENT_CHARACTERS:
            raise _invalid(
                f"content has {len(content.to_json())} characters, expected at most {MAX_CONTENT_CHARACTERS}"
            )
        return content

    @classmethod
    def from_json(cls, kind: str, text: str) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            PkiDataError: ``request.kind-unknown``, ``request.content-invalid``.
        """
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _invalid("content is not JSON") from error
        content = cls.from_document(kind, found)
        if content.to_json() != text:
            raise _invalid("content is not in its one encoding")
        return content

    def to_json(self) -> str:
        """The one encoding."""
        return json.dumps(dict(self.values), sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> bytes:
        """SHA-256 over kind and encoding."""
        return HashAlgorithm.SHA256.digest(f"{self.kind.value}\n{self.to_json()}".encode())

    @property
    def approvals(self) -> int:
        """How many different people besides the requester must approve."""
        return CONTENT_RULES[self.kind].approvals

    def text(self, name: str) -> str:
        """A field that is a text by the table."""
        return str(self.values[name])

    def texts(self, name: str) -> tuple[str, ...]:
        """A field that is a list of texts by the table."""
        return tuple(str(each) for each in self.values[name])

    def number(self, name: str) -> int:
        """A field that is a number by the table."""
        return int(self.values[name])

    def numbers(self, name: str) -> tuple[int, ...]:
        """A field that is a list of numbers by the table."""
        return tuple(int(each) for each in self.values[name])

    def octets(self, name: str) -> bytes:
        """A field that is binary by the table."""
        return base64.b64decode(self.values[name], validate=True)


def _check(name: str, rule: FieldRule, value: object) -> None:
    if not _fits(rule, value):
        raise _invalid(f"field {name!r} is not as its rule says: {rule}")


def _fits(rule: FieldRule, value: object) -> bool:
    match rule, value:
        case Text(), str():
            return len(value) <= rule.most and re.fullmatch(rule.pattern, value) is not None
        case Number(), int():
            return _is_number(value, rule)
        case Binary(), str():
            return _is_base64(value, rule.most)
        case Names(), list():
            return rule.least <= len(value) <= rule.most and _are_different_names(value, rule)
        case Numbers(), list():
            return all(_is_number(each, rule) for each in value) and len(set(value)) == len(value)
    return False


def _is_number(value: object, rule: Number | Numbers) -> bool:
    # JSON's true is an int to Python.
    return type(value) is int and rule.least <= value <= rule.most


def _are_different_names(values: list[Any], rule: Names) -> bool:
    return all(
        isinstance(each, str) and re.fullmatch(rule.pattern, each) is not None for each in values
    ) and len(set(values)) == len(values)


def _is_base64(value: str, most: int) -> bool:
    if not 4 <= len(value) <= (most + 2) // 3 * 4:
        return False
    try:
        octets = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    # One text for the same bytes: padding bits are zero.
    return base64.b64encode(octets).decode() == value


def _invalid(message: str) -> PkiDataError:
    return PkiDataError(message, code="request.content-invalid")
