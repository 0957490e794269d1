"""The table ``[[anchors]]`` of policy.toml: what each authority is trusted for (docs/policy.md)."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from pki.certificates.anchor_scope import AnchorScope, TrustPurpose
from verifier.errors import TrustError

__all__ = ["read_anchors"]

_MAX_ANCHORS: Final = 256
_REQUIRED_KEYS: Final = frozenset({"certificate", "purposes"})
_DOCUMENT_KEYS: Final = frozenset({"states", "document_codes"})
_FINGERPRINT: Final = re.compile(r"sha256:([0-9a-f]{64})")


def read_anchors(
    value: object, *, states: Mapping[str, str], document_codes: Collection[str]
) -> dict[str, AnchorScope]:
    """The scopes by fingerprint; states and document codes are among those that the policy knows.

    Raises:
        TrustError: ``policy.malformed``.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_ANCHORS:
        raise _malformed(f"anchors is not a list of 1 to {_MAX_ANCHORS} tables")
    found: dict[str, AnchorScope] = {}
    for item in value:
        name, scope = _anchor(item, states=states, document_codes=document_codes)
        if name in found:
            raise _malformed(f"anchors names the certificate {name[:16]} twice")
        found[name] = scope
    return found


def _anchor(
    item: object, *, states: Mapping[str, str], document_codes: Collection[str]
) -> tuple[str, AnchorScope]:
    if not isinstance(item, dict) or not set(item) >= _REQUIRED_KEYS:
        raise _malformed("an anchor is not a table with certificate and purposes")
    unknown = sorted(set(item) - _REQUIRED_KEYS - _DOCUMENT_KEYS)
    if unknown:
        raise _malformed(f"an anchor has an unknown key {unknown[0][:40]!r}")
    match = _FINGERPRINT.fullmatch(str(item["certificate"]))
    if match is None:
        raise _malformed("an anchor's certificate is not sha256: and 64 small hexadecimal digits")
    try:
        purposes = frozenset(TrustPurpose(text) for text in _texts(item["purposes"], "purposes"))
    except ValueError as error:
        raise _malformed("an anchor has a purpose that is none") from error
    has_documents = TrustPurpose.DOCUMENTS in purposes
    if has_documents != (set(item) >= _DOCUMENT_KEYS) or (
        not has_documents and set(item) & _DOCUMENT_KEYS
    ):
        raise _malformed(
            "an anchor has states and document_codes exactly where it is for documents"
        )
    scope = AnchorScope(
        purposes=purposes,
        states=_subset(item, "states", states),
        document_codes=_subset(item, "document_codes", document_codes),
    )
    return match[1], scope


def _subset(item: Mapping[str, object], key: str, known: Collection[str]) -> frozenset[str]:
    found = _texts(item[key], key) if key in item else frozenset()
    unknown = sorted(found - set(known))
    if unknown:
        raise _malformed(
            f"{key} of an anchor holds {unknown[0][:40]!r}, which the policy does not know"
        )
    return found


def _texts(value: object, name: str) -> frozenset[str]:
    if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
        raise _malformed(f"{name} of an anchor is not a list of texts")
    if len(set(value)) != len(value):
        raise _malformed(f"{name} of an anchor holds a text twice")
    return frozenset(value)


def _malformed(message: str) -> TrustError:
    return TrustError(message, code="policy.malformed")
