"""Forms with files, until the block ends; the boundary counts their bytes on the way."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException

from issuer.api.problems import ApiError
from pki.web.reading import media_type_of

__all__ = ["form_of"]

_FILES: Final = "multipart/form-data"


@contextlib.asynccontextmanager
async def form_of(request: Request, *, max_files: int, max_fields: int) -> AsyncIterator[FormData]:
    """The files and fields of a request.

    Raises:
        ApiError: ``api.media-type``, ``api.body-malformed``.
    """
    given = media_type_of(request.headers.get("content-type", ""))
    if given != _FILES:
        raise ApiError(f"content type is {given[:60]!r}, expected {_FILES}", code="api.media-type")
    try:
        form = await request.form(max_files=max_files, max_fields=max_fields)
    except (MultiPartException, ValueError) as error:
        raise ApiError("the files cannot be read", code="api.body-malformed") from error
    except Exception as error:
        # FastAPI's own reading tells the same fault as an HTTP error of its own.
        if getattr(error, "status_code", None) != 400:
            raise
        raise ApiError("the files cannot be read", code="api.body-malformed") from error
    try:
        if any("\0" in text for pair in form.multi_items() for text in _texts(*pair)):
            raise ApiError("a field of the form holds a NUL", code="api.body-malformed")
        yield form
    finally:
        await form.close()


def _texts(name: str, value: str | UploadFile) -> tuple[str, str]:
    """What of a field is text: of a file, the name it came with."""
    return name, value if isinstance(value, str) else value.filename or ""
