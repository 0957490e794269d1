"""The table ``[[anchors]]`` of policy.toml and of imported anchors: what each authority is trusted for (docs/policy.md)."""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from pki.certificates.anchor_scope import DOCUMENT_PURPOSES, AnchorScope, TrustPurpose
from pki.errors import PkiDataError

__all__ = [
    "MAX_ANCHORS",
    "MAX_POLICY_BYTES",
    "combine_anchors",
    "malformed",
    "read_anchors",
    "read_fingerprint",
    "read_policy_anchors",
    "read_scope",
    "read_table",
]

MAX_ANCHORS: Final = 256
MAX_POLICY_BYTES: Final = 65536

_REQUIRED_KEYS: Final = frozenset({"certificate", "purposes"})
_DOCUMENT_KEYS: Final = frozenset({"states", "document_codes"})
_FINGERPRINT: Final = re.compile(r"sha256:([0-9a-f]{64})")
_STATE: Final = re.compile(r"[A-Z]{1,3}")
_DOCUMENT_CODE: Final = re.compile(r"[A-Z]{1,2}")


def read_anchors(
    value: object,
    *,
    states: Collection[str] | None,
    document_codes: Collection[str] | None,
) -> dict[str, AnchorScope]:
    """The scopes by fingerprint.

    Args:
        value: what stands under the key ``anchors``.
        states: the states that the policy knows, among which those of member cards are.
        document_codes: the document codes of member cards. Travel documents have others: there they need only be well-formed.

    Raises:
        PkiDataError: ``policy.malformed``.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ANCHORS:
        raise malformed(f"anchors is not a list of 1 to {MAX_ANCHORS} tables")
    found: dict[str, AnchorScope] = {}
    for item in value:
        name, scope = _anchor(item, states=states, document_codes=document_codes)
        if name in found:
            raise malformed(f"anchors names the certificate {name[:16]} twice")
        found[name] = scope
    return found


def read_policy_anchors(data: bytes) -> Mapping[str, AnchorScope] | None:
    """The anchors of a whole policy.toml, of which nothing else is judged here; ``None`` where it binds none.

    Raises:
        PkiDataError: ``policy.malformed``.
    """
    document = read_table(data, MAX_POLICY_BYTES, "policy.toml")
    if "anchors" not in document:
        return None
    states, document_codes = document.get("states"), document.get("document_codes")
    if not isinstance(states, dict) or not isinstance(document_codes, list):
        raise malformed("policy.toml lacks states or document_codes")
    return read_anchors(document["anchors"], states=states, document_codes=document_codes)


def combine_anchors(
    bound: Mapping[str, AnchorScope] | None, imported: Iterable[Mapping[str, AnchorScope]]
) -> Mapping[str, AnchorScope] | None:
    """What policy.toml binds together with what was imported: an import adds, and never changes what an authority signs.

    Raises:
        PkiDataError: ``policy.malformed``: two say different things of the documents below one certificate, or something
            was imported beside a policy that binds nothing, and so trusts all for everything.
    """
    tables = [item for item in imported if item]
    if bound is None:
        if tables:
            raise malformed("there are imported anchors, and policy.toml has no anchors of its own")
        return None
    found = dict(bound)
    for table in tables:
        for name, scope in table.items():
            found[name] = _united(name, found[name], scope) if name in found else scope
    return found


def read_table(data: bytes, maximum_bytes: int, name: str) -> Mapping[str, Any]:
    """A whole TOML file.

    Raises:
        PkiDataError: ``policy.malformed``.
    """
    if len(data) > maximum_bytes:
        raise malformed(f"{name} has {len(data)} bytes, expected at most {maximum_bytes}")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        # Not only TOMLDecodeError: a number of more than 4300 digits is a bare ValueError.
        raise malformed(f"{name} is not TOML in UTF-8") from error


def read_fingerprint(value: object, name: str) -> str:
    """The 64 hexadecimal digits of ``sha256:...``.

    Raises:
        PkiDataError: ``policy.malformed``.
    """
    match = _FINGERPRINT.fullmatch(str(value))
    if match is None:
        raise malformed(f"{name} is not sha256: and 64 small hexadecimal digits")
    return match[1]


def read_scope(
    item: Mapping[str, object],
    name: str,
    *,
    states: Collection[str] | None = None,
    document_codes: Collection[str] | None = None,
) -> AnchorScope:
    """``purposes``, and ``states`` and ``document_codes`` exactly where one of the purposes is for documents.

    Raises:
        PkiDataError: ``policy.malformed``.
    """
    try:
        purposes = frozenset(TrustPurpose(text) for text in _texts(item["purposes"], "purposes"))
    except ValueError as error:
        raise malformed(f"{name} has a purpose that is none") from error
    if purposes >= DOCUMENT_PURPOSES:
        # One table of states and codes cannot serve both: a code of the one would hold for the other.
        raise malformed(f"{name} is for documents and for travel-documents, expected one of them")
    has_documents = bool(purposes & DOCUMENT_PURPOSES)
    if has_documents != (set(item) >= _DOCUMENT_KEYS) or (
        not has_documents and set(item) & _DOCUMENT_KEYS
    ):
        raise malformed(f"{name} has states and document_codes exactly where it is for documents")
    is_member_card = TrustPurpose.DOCUMENTS in purposes
    return AnchorScope(
        purposes=purposes,
        states=_subset(item, "states", states if is_member_card else None, _STATE),
        document_codes=_subset(
            item, "document_codes", document_codes if is_member_card else None, _DOCUMENT_CODE
        ),
    )


def malformed(message: str) -> PkiDataError:
    """The error of a policy that cannot be taken at its word."""
    return PkiDataError(message, code="policy.malformed")


def _anchor(
    item: object, *, states: Collection[str] | None, document_codes: Collection[str] | None
) -> tuple[str, AnchorScope]:
    if not isinstance(item, dict) or not set(item) >= _REQUIRED_KEYS:
        raise malformed("an anchor is not a table with certificate and purposes")
    unknown = sorted(set(item) - _REQUIRED_KEYS - _DOCUMENT_KEYS)
    if unknown:
        raise malformed(f"an anchor has an unknown key {unknown[0][:40]!r}")
    name = read_fingerprint(item["certificate"], "an anchor's certificate")
    return name, read_scope(item, "an anchor", states=states, document_codes=document_codes)


def _united(name: str, one: AnchorScope, other: AnchorScope) -> AnchorScope:
    """Both bindings of one certificate; what it signs documents for is said once, or twice alike."""
    bound = [item for item in (one, other) if item.purposes & DOCUMENT_PURPOSES]
    documents = {
        (item.purposes & DOCUMENT_PURPOSES, item.states, item.document_codes) for item in bound
    }
    if len(documents) > 1:
        raise malformed(f"certificate {name[:16]} is bound to different documents in two places")
    scope = bound[0] if bound else one
    return AnchorScope(
        purposes=one.purposes | other.purposes,
        states=scope.states,
        document_codes=scope.document_codes,
    )


def _subset(
    item: Mapping[str, object], key: str, known: Collection[str] | None, form: re.Pattern[str]
) -> frozenset[str]:
    found = _texts(item[key], key) if key in item else frozenset()
    if known is None:
        odd = sorted(text for text in found if not form.fullmatch(text))
        if odd:
            raise malformed(f"{key} holds {odd[0][:40]!r}, expected {form.pattern}")
        return found
    unknown = sorted(found - set(known))
    if unknown:
        raise malformed(
            f"{key} of an anchor holds {unknown[0][:40]!r}, which the policy does not know"
        )
    return found


def _texts(value: object, name: str) -> frozenset[str]:
    if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
        raise malformed(f"{name} of an anchor is not a list of texts")
    if len(set(value)) != len(value):
        raise malformed(f"{name} of an anchor holds a text twice")
    return frozenset(value)
