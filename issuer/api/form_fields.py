"""What a form of the console sends: few short fields, each once."""

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from issuer.api.problems import ApiError
from pki.web.reading import media_type_of

__all__ = ["FormFields", "local_path"]

_FORM: Final = "application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 64


async def _fields(request: Request) -> Mapping[str, str]:
    given = media_type_of(request.headers.get("content-type", ""))
    if given != _FORM:
        raise ApiError(f"content type is {given[:60]!r}, expected {_FORM}", code="api.media-type")
    try:
        pairs = parse_qsl(
            (await request.body()).decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError as error:
        raise ApiError("the form cannot be read", code="api.body-malformed") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ApiError("a field of the form stands twice", code="api.body-malformed")
    if any("\0" in text for pair in pairs for text in pair):
        raise ApiError("a field of the form holds a NUL", code="api.body-malformed")
    return fields


FormFields = Annotated[Mapping[str, str], Depends(_fields)]
"""The fields by name."""


def local_path(text: str) -> str:
    """A path of this site to go on to; the first page for whatever is not one."""
    # Browsers take a backslash for a slash and drop control characters: both would lead to another site.
    is_ours = (
        text.startswith("/")
        and not text.startswith("//")
        and text.isascii()
        and text.isprintable()
        and "\\" not in text
    )
    return text if is_ours else "/"
