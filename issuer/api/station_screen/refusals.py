"""Why a station's screen turns somebody away: one table of codes, and the answer that says so in both languages."""

from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from starlette.responses import Response

from issuer.api.languages import Language, message, wording
from issuer.errors import IssuerRefusedError

__all__ = ["REFUSALS", "ScreenRefusedError", "refusal_response"]

REFUSALS: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "screen.host-refused": (
            HTTPStatus.MISDIRECTED_REQUEST,
            message("This is not the address of the station on this computer."),
        ),
        "screen.origin-refused": (
            HTTPStatus.FORBIDDEN,
            message("The request comes from another page; the station answers its own page only."),
        ),
        "screen.not-paired": (
            HTTPStatus.UNAUTHORIZED,
            message(
                "This browser is not paired with the station. Open the address that `membercard-issuer station page` prints."
            ),
        ),
        "screen.pairing-used": (
            HTTPStatus.UNAUTHORIZED,
            message(
                "This address was used before, or is wrong. Get a new one: `membercard-issuer station page`."
            ),
        ),
        "screen.csrf-refused": (
            HTTPStatus.FORBIDDEN,
            message(
                "The request does not carry the page's token. Load the page again, and do it once more."
            ),
        ),
        "screen.too-long": (
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            message("The request is too long."),
        ),
        "screen.not-found": (HTTPStatus.NOT_FOUND, message("There is no such page.")),
    }
)


class ScreenRefusedError(IssuerRefusedError):
    """A request is turned away; ``code`` is one of ``REFUSALS``."""

    default_code = "screen.not-found"


def refusal_response(code: str, *, is_fragment: bool) -> Response:
    """The answer: a page, or a piece of one."""
    status, text = REFUSALS[code]
    said = "".join(
        f'<p lang="{language.value}">{escape(wording(language).gettext(text))}</p>'
        for language in Language
    )
    piece = f'<div class="refusal" role="alert">{said}<p><code>{escape(code)}</code></p></div>'
    page = (
        '<!doctype html><html lang="vi"><head><meta charset="utf-8"><title>membercard</title>'
        '<link rel="icon" href="/static/mark.svg"><link rel="stylesheet" href="/static/station.css">'
        f"</head><body>{piece}</body></html>"
    )
    return Response(piece if is_fragment else page, status_code=status, media_type="text/html")
