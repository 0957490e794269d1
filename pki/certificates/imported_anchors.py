"""``anchors/NAME.toml`` of a trust directory: what one import of a master list left there, and what it binds (docs/master-lists.md).

One file says which list was imported and what its certificates are trusted for, so that both change together or not at all.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Self

from pki.certificates.anchor_policy import (
    MAX_ANCHORS,
    malformed,
    read_anchors,
    read_fingerprint,
    read_table,
)
from pki.certificates.anchor_scope import DOCUMENT_PURPOSES, AnchorScope

__all__ = ["MAX_IMPORTED_ANCHORS_BYTES", "ImportedAnchors", "check_import_name"]

MAX_IMPORTED_ANCHORS_BYTES: Final = 256 * 1024

_FORMAT: Final = 1
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_KEYS: Final = frozenset({"format", "name", "list", "anchors"})
_LIST_KEYS: Final = frozenset({"sha256", "signing_time", "authority", "signer"})
_MAX_SIGNER_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedAnchors:
    """The scopes by fingerprint that an import gave, and the list from which it took the certificates.

    ``list_fingerprint`` is the SHA-256 digest of the list's file, ``authority`` the fingerprint of the CSCA that vouched
    for its ``signer``, a name for people.
    """

    name: str
    list_fingerprint: str
    signing_time: datetime
    authority: str
    signer: str
    anchors: Mapping[str, AnchorScope] = field(repr=False)

    def __post_init__(self) -> None:
        check_import_name(self.name)
        object.__setattr__(self, "anchors", MappingProxyType(dict(self.anchors)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the file.

        Raises:
            PkiDataError: ``policy.malformed``.
        """
        document = read_table(data, MAX_IMPORTED_ANCHORS_BYTES, "a file of imported anchors")
        found = document.get("list")
        if not set(document) <= _KEYS or not set(document) >= _KEYS - {"anchors"}:
            raise malformed(f"imported anchors have keys {sorted(document)[:8]}")
        if document["format"] != _FORMAT or isinstance(document["format"], bool):
            raise malformed(f"imported anchors are not of format {_FORMAT}")
        if not isinstance(found, dict) or set(found) != _LIST_KEYS:
            raise malformed(f"the list of imported anchors has not the keys {sorted(_LIST_KEYS)}")
        moment, signer = found["signing_time"], found["signer"]
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise malformed("the signing time of imported anchors is not a time with a zone")
        if not isinstance(signer, str) or len(signer) > _MAX_SIGNER_CHARACTERS:
            raise malformed("the signer of imported anchors is not a text, or too long")
        return cls(
            name=str(document["name"]),
            list_fingerprint=read_fingerprint(found["sha256"], "the list's digest"),
            signing_time=moment.astimezone(UTC),
            authority=read_fingerprint(found["authority"], "the list's authority"),
            signer=signer,
            anchors=(
                read_anchors(document["anchors"], states=None, document_codes=None)
                if "anchors" in document
                else {}
            ),
        )

    def to_bytes(self) -> bytes:
        """The file.

        Raises:
            PkiDataError: ``policy.malformed``: more anchors than a terminal reads.
        """
        if len(self.anchors) > MAX_ANCHORS:
            raise malformed(
                f"there are {len(self.anchors)} anchors, expected at most {MAX_ANCHORS}"
            )
        lines = [
            "# Written by `membercard-pki master-list import`; the next import writes it anew.",
            f"format = {_FORMAT}",
            f"name = {_text(self.name)}",
            "",
            "[list]",
            f'sha256 = "sha256:{self.list_fingerprint}"',
            f"signing_time = {self.signing_time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            f'authority = "sha256:{self.authority}"',
            f"signer = {_text(self.signer[:_MAX_SIGNER_CHARACTERS])}",
        ]
        for name, scope in sorted(self.anchors.items()):
            lines += [
                "",
                "[[anchors]]",
                f'certificate = "sha256:{name}"',
                f"purposes = {_texts(item.value for item in scope.purposes)}",
            ]
            if scope.purposes & DOCUMENT_PURPOSES:
                lines += [
                    f"states = {_texts(scope.states or ())}",
                    f"document_codes = {_texts(scope.document_codes or ())}",
                ]
        return ("\n".join(lines) + "\n").encode()


def check_import_name(name: str) -> None:
    """Whether the name can be part of file names.

    Raises:
        PkiDataError: ``policy.malformed``.
    """
    if not _NAME.fullmatch(name):
        raise malformed(
            f"name is {name[:40]!r}, expected 1 to 32 small letters, digits and hyphens between them"
        )


def _text(value: str) -> str:
    """A basic string of TOML; JSON escapes what TOML must have escaped, but for one character."""
    printable = "".join(each if each.isprintable() else "?" for each in value)
    return json.dumps(printable, ensure_ascii=False)


def _texts(values: Iterable[str]) -> str:
    return "[" + ", ".join(_text(item) for item in sorted(values)) + "]"
