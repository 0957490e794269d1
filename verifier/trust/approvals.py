"""Two people approve what a terminal is to trust newly: each signs the bundle's digest and the new anchors.

They approve, too, that a clock's mark is taken back (verifier.trust.clock_reset): each kind of statement has its own first line.

Who may approve stands in ``approvers.toml`` of the trust directory, which whoever sets the terminal up writes. No bundle
ever brings or changes it.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from verifier.errors import TrustError

__all__ = [
    "APPROVERS_FILE",
    "Approval",
    "ApprovedMatter",
    "Approvers",
    "create_approver_key",
    "statement",
]

APPROVERS_FILE: Final = "approvers.toml"

_FORMAT: Final = 1
_NEEDED: Final = 2
_MAX_BYTES: Final = 65536
_MAX_APPROVERS: Final = 64
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,100}")
_KEY: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedMatter:
    """What takes two people, in the words of a refusal."""

    needs: str
    signed: str
    command: str


_NEW_ANCHORS: Final = ApprovedMatter(
    needs="the bundle brings new trust anchors",
    signed="this bundle with these new anchors",
    command="membercard-verifier bundle approve",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's signature over a statement."""

    name: str
    signature: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read an approval's file.

        Raises:
            TrustError: ``bundle.approval-invalid``.
        """
        try:
            found = json.loads(data)
            result = cls(name=str(found["name"]), signature=bytes.fromhex(found["signature"]))
            # A name with half a character can be read, and not be written.
            is_ours = data == result.to_bytes()
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _invalid("an approval's file is not of its format") from error
        if not is_ours:
            raise _invalid("an approval's file is not of its format")
        return result

    @classmethod
    def make(cls, *, name: str, key_file: bytes, pin: str, stated: bytes) -> Self:
        """Sign a statement with an approver's own key.

        Raises:
            TrustError: ``bundle.approval-invalid``: key or PIN are wrong.
        """
        try:
            key = load_pem_private_key(key_file, password=pin.encode())
        except (ValueError, TypeError) as error:
            raise _invalid("the approver's key cannot be opened with this PIN") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise _invalid("the approver's key is no Ed25519 key")
        return cls(name=name, signature=key.sign(stated))

    def to_bytes(self) -> bytes:
        """The file."""
        document = {"format": _FORMAT, "name": self.name, "signature": self.signature.hex()}
        return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Approvers:
    """Who may approve, and their public keys."""

    keys: Mapping[str, bytes]

    @classmethod
    def read(cls, directory: Path) -> Self:
        """``approvers.toml``; nobody where there is none.

        Raises:
            TrustError: ``bundle.approvers-malformed``.
        """
        path = directory / APPROVERS_FILE
        try:
            with path.open("rb") as file:
                document = tomllib.loads(file.read(_MAX_BYTES).decode())
        except FileNotFoundError:
            return cls({})
        except (OSError, ValueError, RecursionError) as error:
            raise _malformed(path, "it cannot be read as TOML in UTF-8") from error
        items = document.get("approvers")
        if (
            document.keys() != {"format", "approvers"}
            or document["format"] != _FORMAT
            or not isinstance(items, list)
            or len(items) > _MAX_APPROVERS
        ):
            raise _malformed(path, f"it is not of format {_FORMAT} with approvers")
        keys: dict[str, bytes] = {}
        for item in items:
            if (
                not isinstance(item, dict)
                or item.keys() != {"name", "key"}
                or not all(isinstance(value, str) for value in item.values())
                or _NAME.fullmatch(item["name"]) is None
                or _KEY.fullmatch(item["key"]) is None
            ):
                raise _malformed(path, "an approver is not a name and a key of 64 digits")
            if item["name"] in keys or bytes.fromhex(item["key"]) in keys.values():
                raise _malformed(path, "a name or a key stands twice: two people are two keys")
            keys[item["name"]] = bytes.fromhex(item["key"])
        return cls(keys)

    def require_two(
        self, approvals: Sequence[Approval], stated: bytes, *, matter: ApprovedMatter = _NEW_ANCHORS
    ) -> tuple[str, ...]:
        """Two different approvers signed this statement; gives back their names.

        Raises:
            TrustError: ``bundle.approval-invalid``: one is of somebody else, or of another statement;
                ``bundle.approval-missing``: there are fewer than two.
        """
        names = []
        for approval in approvals:
            key = self.keys.get(approval.name)
            if key is None:
                raise _invalid(f"{approval.name[:100]!r} is no approver of this terminal")
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(approval.signature, stated)
            except (InvalidSignature, ValueError) as error:
                raise _invalid(f"what {approval.name!r} signed is not {matter.signed}") from error
            names.append(approval.name)
        if len(set(names)) < _NEEDED:
            raise TrustError(
                f"{matter.needs}, which {_NEEDED} people approve, got {len(set(names))}",
                code="bundle.approval-missing",
                hint=f"{matter.command}, by two of approvers.toml",
            )
        return tuple(sorted(set(names)))


def statement(sha256: str, new_anchors: Sequence[str]) -> bytes:
    """What an approver signs: the bundle, and every anchor that is new with it."""
    lines = ["membercard-trust-approval 1", f"bundle {sha256}", *sorted(new_anchors)]
    return ("\n".join(lines) + "\n").encode()


def create_approver_key(pin: str) -> tuple[bytes, str]:
    """A key's file, encrypted under a PIN, and the public key as ``approvers.toml`` has it."""
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(pin.encode())
    )
    return content, key.public_key().public_bytes_raw().hex()


def _invalid(message: str) -> TrustError:
    return TrustError(message, code="bundle.approval-invalid")


def _malformed(path: Path, reason: str) -> TrustError:
    return TrustError(f"{path}: {reason}", code="bundle.approvers-malformed")
