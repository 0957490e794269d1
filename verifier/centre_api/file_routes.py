"""Bundles and deltas as files: entity tags, ranges, and nothing that is not published.

Any web server can serve the same directory: the names, and what stands in ``index.json``, are all that clients need.
"""

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter

from pki.signed.trust_bundle import MAX_TRUST_BUNDLE_BYTES
from verifier.centre_api.callers import Services
from verifier.centre_api.problems import EdgeError

__all__ = ["file_router"]

file_router = APIRouter(prefix="/v1", tags=["files"])

_NAME: Final = r"^(?:index\.json|[0-9A-Za-z][0-9A-Za-z_-]{0,99}\.(?:bundle|delta))$"
_RANGE: Final = re.compile(r"bytes=([0-9]{1,12})-([0-9]{0,12})")
_TAGS: Final = re.compile(r'(?:W/)?"([^"]*)"')
_OCTETS: Final = "application/octet-stream"
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_FRESH: Final = "public, max-age=60, must-revalidate"
_BINARY: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file.",
        "content": {
            _OCTETS: {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"type": "object"}},
        },
    },
    206: {
        "description": "A part of it.",
        "content": {_OCTETS: {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "The client's copy is current."},
}


@file_router.get(
    "/bundles/{name}",
    summary="A trust bundle, a delta, or index.json, which names the newest",
    response_class=Response,
    responses=_BINARY,
)
def published_file(
    name: Annotated[str, PathParameter(pattern=_NAME, examples=["index.json"])],
    request: Request,
    services: Services,
) -> Response:
    """For everybody: what is signed needs no secrecy. One range of bytes is answered, others are ignored."""
    path = services.files / name
    try:
        stat = path.stat()
        content, tag = _file(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise EdgeError("there is no file of that name", code="centre.not-found") from error
    is_index = name == "index.json"
    headers = {
        "ETag": f'"{tag}"',
        "Cache-Control": _FRESH if is_index else _IMMUTABLE,
        "Accept-Ranges": "bytes",
    }
    media_type = "application/json" if is_index else _OCTETS
    wanted = request.headers.get("if-none-match")
    if wanted is not None and (wanted.strip() == "*" or tag in _TAGS.findall(wanted)):
        return Response(status_code=304, headers=headers)
    part = _RANGE.fullmatch(request.headers.get("range", ""))
    condition = request.headers.get("if-range")
    if part is None or condition not in (None, headers["ETag"]):
        return Response(content, media_type=media_type, headers=headers)
    begin = int(part[1])
    end = min(int(part[2]), len(content) - 1) if part[2] else len(content) - 1
    if part[2] and int(part[2]) < begin:
        return Response(content, media_type=media_type, headers=headers)
    if begin >= len(content):
        raise EdgeError(
            f"the file has {len(content)} bytes, got a range from {begin}", code="centre.range"
        )
    headers["Content-Range"] = f"bytes {begin}-{end}/{len(content)}"
    return Response(
        content[begin : end + 1], status_code=206, media_type=media_type, headers=headers
    )


@lru_cache(maxsize=8)
def _file(path: Path, _changed: int, _size: int) -> tuple[bytes, str]:
    """A file and its digest; the time of change and the size tell whether it is still the same."""
    with path.open("rb") as file:
        content = file.read(MAX_TRUST_BUNDLE_BYTES + 1)
    if len(content) > MAX_TRUST_BUNDLE_BYTES:
        raise OSError("longer than any bundle")
    return content, hashlib.sha256(content).hexdigest()
