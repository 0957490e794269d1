"""Frames of the signer's socket and what is in them: JSON of bounded size, read strictly (docs/signer-protocol.md)."""

import json
from collections.abc import Mapping
from typing import Any, Final

from pki.errors import KeystoreError, PkiDataError, PkiError, PkiRefusedError, RecordError

__all__ = [
    "LENGTH_BYTES", "MAX_TEXT_CHARACTERS", "VERSION", "ProtocolError", "dump", "frame", "frame_length", "load",
    "load_answer", "read_error", "read_number", "read_octets", "read_text", "require_members", "write_error",
]  # fmt: skip

VERSION: Final = 1
LENGTH_BYTES: Final = 4
MAX_TEXT_CHARACTERS: Final = 1000
_ERRORS: Final[Mapping[str, type[PkiError]]] = {
    "refused": PkiRefusedError,
    "data": PkiDataError,
    "keystore": KeystoreError,
    "record": RecordError,
}


class ProtocolError(PkiDataError):
    """A frame that the protocol does not know; the connection is of no use any more."""

    default_code = "protocol.malformed"


def frame(content: bytes) -> bytes:
    """The content with its length before it."""
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def frame_length(head: bytes | bytearray, *, maximum: int) -> int:
    """The length in the first four bytes of a frame.

    Raises:
        ProtocolError: ``protocol.frame-length``: nothing, or more than the maximum.
    """
    length = int.from_bytes(head[:LENGTH_BYTES], "big")
    if not 1 <= length <= maximum:
        raise ProtocolError(
            f"frame has {length} bytes, expected 1 to {maximum}", code="protocol.frame-length"
        )
    return length


def write_error(error: PkiError) -> bytes:
    """The content of an answer that tells an error."""
    kind = next((name for name, each in _ERRORS.items() if isinstance(error, each)), "record")
    return dump({"error": [kind, error.code, str(error)[:MAX_TEXT_CHARACTERS], error.hint]})


def read_error(found: object) -> PkiError:
    """The error in an answer.

    Raises:
        ProtocolError: it is none.
    """
    match found:
        case [str(kind), str(code), str(message), str() | None as hint] if (
            kind in _ERRORS and max(len(code), len(message), len(hint or "")) <= MAX_TEXT_CHARACTERS
        ):
            return _ERRORS[kind](message, code=code, hint=hint)
    raise ProtocolError("the answer tells an error that cannot be read")


def load_answer(content: bytes, members: set[str]) -> dict[str, Any]:
    """The members of an answer.

    Raises:
        ProtocolError: ``protocol.malformed``, ``protocol.version``.
        PkiError: the signer answered with this error.
    """
    found = load(content)
    if "error" in found:
        require_members(found, {"version", "error"})
        raise read_error(found["error"])
    require_members(found, {"version"} | members)
    return found


def load(content: bytes) -> dict[str, Any]:
    """The object in a frame.

    Raises:
        ProtocolError: ``protocol.malformed``, ``protocol.version``.
    """
    try:
        found = json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise ProtocolError("frame is not JSON as it must be") from error
    if not isinstance(found, dict):
        raise ProtocolError("frame is no JSON object")
    if found.get("version") != VERSION or type(found["version"]) is not int:
        raise ProtocolError(f"version of the protocol is not {VERSION}", code="protocol.version")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ProtocolError("a member stands twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ProtocolError(f"{name} is no number of JSON")


def require_members(found: Mapping[str, Any], members: set[str]) -> None:
    """Exactly these members.

    Raises:
        ProtocolError: ``protocol.malformed``.
    """
    if set(found) != members:
        raise ProtocolError(f"frame has not the members {sorted(members)}")


def read_octets(value: object, name: str, length: int | None) -> bytes:
    """Octets in hexadecimal of lower case; of any length where ``length`` is ``None``.

    Raises:
        ProtocolError: ``protocol.malformed``.
    """
    if not isinstance(value, str) or (length is not None and len(value) != 2 * length):
        raise ProtocolError(f"{name} is no hexadecimal text of the right length")
    try:
        octets = bytes.fromhex(value)
    except ValueError as error:
        raise ProtocolError(f"{name} is not hexadecimal") from error
    if octets.hex() != value:
        raise ProtocolError(f"{name} is not hexadecimal in lower case without spaces")
    return octets


def read_number(value: object, name: str, least: int, most: int) -> int:
    """A whole number within bounds.

    Raises:
        ProtocolError: ``protocol.malformed``.
    """
    if type(value) is not int or not least <= value <= most:
        raise ProtocolError(f"{name} is no whole number from {least} to {most}")
    return value


def read_text(value: object, name: str) -> str:
    """A text of at most ``MAX_TEXT_CHARACTERS``.

    Raises:
        ProtocolError: ``protocol.malformed``.
    """
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARACTERS:
        raise ProtocolError(f"{name} is no text of at most {MAX_TEXT_CHARACTERS} characters")
    return value


def dump(content: dict[str, Any]) -> bytes:
    """The content of a frame."""
    return json.dumps(
        content | {"version": VERSION}, sort_keys=True, separators=(",", ":"), ensure_ascii=True
    ).encode()
