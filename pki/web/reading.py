"""How our services read a request: bounded, within a time, strictly encoded, before anything else looks at it.

Each of the product's HTTP services stands behind a layer of its own, which knows who may call and how an answer is
hardened. What all of them demand of a path, a query and a body is one piece of code; what a fault is called towards a
caller is theirs.
"""

import asyncio
import enum
import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Scope, Send

__all__ = [
    "ReadingError",
    "ReadingFault",
    "check_bodiless",
    "check_json",
    "check_plain",
    "check_target",
    "headers_of",
    "media_type_of",
    "read_body",
    "read_json",
    "replayed",
    "without_body",
]

_MAX_FIELDS: Final = 32
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""The escape of U+0000, behind no backslash that is itself escaped."""
_JSON: Final = "application/json"
_SINGLE: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"idempotency-key",
        b"if-match",
        b"origin",
        b"referer",
        b"sec-fetch-site",
        b"transfer-encoding",
        b"x-real-ip",
    }
)
"""What we read and RFC 9110, 5.3 does not let a sender repeat; lists (Accept, Via, Cookie) may stand in many lines."""


class ReadingFault(enum.StrEnum):
    """What may be wrong with a request as it comes."""

    BODY_MALFORMED = "body-malformed"
    BODY_TOO_LARGE = "body-too-large"
    BODY_TIMEOUT = "body-timeout"
    BODY_UNEXPECTED = "body-unexpected"
    HEADER_TWICE = "header-twice"
    MEDIA_TYPE = "media-type"
    QUERY_MALFORMED = "query-malformed"
    TARGET_TOO_LONG = "target-too-long"


class ReadingError(Exception):
    """A request cannot be read; the text may be shown to whoever sent it."""

    def __init__(self, message: str, fault: ReadingFault) -> None:
        super().__init__(message)
        self.fault = fault


def check_target(scope: Scope, *, maximum_bytes: int) -> None:
    """Path and query are short, no name stands twice in the query, and nothing holds a NUL, which no text has.

    Raises:
        ReadingError: they are not.
    """
    query: bytes = scope["query_string"]
    if len(scope.get("raw_path") or b"") + len(query) > maximum_bytes:
        raise ReadingError(
            f"path and query have more than {maximum_bytes} bytes", ReadingFault.TARGET_TOO_LONG
        )
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError as error:
        raise ReadingError("the query cannot be read", ReadingFault.QUERY_MALFORMED) from error
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ReadingError("a name in the query stands twice", ReadingFault.QUERY_MALFORMED)
    if "\0" in scope["path"] or any("\0" in text for pair in pairs for text in pair):
        raise ReadingError("path or query hold a NUL", ReadingFault.QUERY_MALFORMED)


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """The headers by name; of a list in many lines the last.

    One that stands twice is refused: this layer would judge a request by the last line, and the framework behind it
    would read it by the first.

    Raises:
        ReadingError: ``HEADER_TWICE``; ``BODY_MALFORMED``: the body's length is told in two ways.
    """
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in found and name in _SINGLE:
            raise ReadingError(
                f"the header {name.decode('ascii')} stands twice", ReadingFault.HEADER_TWICE
            )
        found[name] = value
    if b"content-length" in found and b"transfer-encoding" in found:
        # RFC 9112, 6.1: somebody may want two servers to see two bodies.
        raise ReadingError(
            "the length of the body is told in two ways", ReadingFault.BODY_MALFORMED
        )
    return found


def check_bodiless(headers: Mapping[bytes, bytes]) -> None:
    """No body comes with a method that has none.

    Raises:
        ReadingError: ``BODY_UNEXPECTED``.
    """
    if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
        raise ReadingError("a body came where none belongs", ReadingFault.BODY_UNEXPECTED)


def check_plain(headers: Mapping[bytes, bytes]) -> None:
    """The body is not compressed: a small one cannot become a large one.

    Raises:
        ReadingError: ``MEDIA_TYPE``.
    """
    if b"content-encoding" in headers:
        raise ReadingError("the body is encoded, expected it plain", ReadingFault.MEDIA_TYPE)


def media_type_of(header: str) -> str:
    """The media type of a Content-Type, without its parameters."""
    return header.partition(";")[0].strip().lower()


async def read_body(receive: Receive, *, maximum_bytes: int, seconds: float) -> bytes:
    """The whole body.

    Raises:
        ReadingError: it broke off, is too long, or did not come in time.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _read(receive, maximum_bytes)
    except TimeoutError as error:
        raise ReadingError(
            f"the body did not come within {seconds:.0f} s", ReadingFault.BODY_TIMEOUT
        ) from error


def read_json(body: bytes) -> Any:
    """Read JSON strictly: a member that stands twice is refused and not silently overwritten; so is a NUL in a text.

    Raises:
        ReadingError: ``BODY_MALFORMED``.
    """
    try:
        return json.loads(
            _without_nul(body.decode("utf-8")),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        raise ReadingError(
            "the body is not JSON in UTF-8 with each member once and without NUL",
            ReadingFault.BODY_MALFORMED,
        ) from error


def check_json(body: bytes, media_type: str) -> None:
    """JSON is strict; what a framework would take for JSON under another name is refused.

    Raises:
        ReadingError: ``BODY_MALFORMED``, ``MEDIA_TYPE``.
    """
    if media_type == _JSON:
        read_json(body)
    elif body and (not media_type or media_type.endswith("+json")):
        raise ReadingError(
            f"content type is {media_type[:60]!r}, expected {_JSON}", ReadingFault.MEDIA_TYPE
        )


def replayed(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read to the application as if it came now."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def without_body(send: Send) -> Send:
    """Answer HEAD: the headers of GET alone."""

    async def bare(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return bare


async def _read(receive: Receive, maximum_bytes: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ReadingError("the body broke off", ReadingFault.BODY_MALFORMED)
        body += message.get("body", b"")
        if len(body) > maximum_bytes:
            raise ReadingError(
                f"the body has more than {maximum_bytes} bytes", ReadingFault.BODY_TOO_LARGE
            )
        if not message.get("more_body", False):
            return bytes(body)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _without_nul(text: str) -> str:
    if _NUL.search(text):
        raise ValueError("a text holds a NUL")
    return text


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
