"""Why the local page and the local interface turn somebody away: one table of codes, and the answer that says so."""

import json
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from starlette.responses import Response

from verifier.errors import VerifierError
from verifier.inspection.messages import Text

__all__ = ["REFUSALS", "RefusedError", "refusal_response"]

REFUSALS: Final[Mapping[str, tuple[int, Text]]] = MappingProxyType(
    {
        "terminal.host-refused": (
            HTTPStatus.MISDIRECTED_REQUEST,
            Text(
                "Địa chỉ này không phải là địa chỉ của máy đọc thẻ trên máy tính này.",
                "This is not the address of the terminal on this computer.",
            ),
        ),
        "terminal.origin-refused": (
            HTTPStatus.FORBIDDEN,
            Text(
                "Yêu cầu đến từ một trang khác; máy đọc thẻ chỉ trả lời trang của chính nó.",
                "The request comes from another page; the terminal answers its own page only.",
            ),
        ),
        "terminal.not-paired": (
            HTTPStatus.UNAUTHORIZED,
            Text(
                "Trình duyệt này chưa được ghép với máy đọc thẻ. Mở địa chỉ mà `membercard-verifier terminal page` in ra.",
                "This browser is not paired with the terminal. Open the address that `membercard-verifier terminal page` prints.",
            ),
        ),
        "terminal.pairing-used": (
            HTTPStatus.UNAUTHORIZED,
            Text(
                "Địa chỉ ghép này đã được dùng hoặc không đúng. Lấy địa chỉ mới: `membercard-verifier terminal page`.",
                "This pairing address was used before, or is wrong. Get a new one: `membercard-verifier terminal page`.",
            ),
        ),
        "terminal.csrf-refused": (
            HTTPStatus.FORBIDDEN,
            Text(
                "Yêu cầu không mang mã của trang. Tải lại trang rồi thử lại.",
                "The request does not carry the page's token. Load the page again and retry.",
            ),
        ),
        "terminal.program-unknown": (
            HTTPStatus.UNAUTHORIZED,
            Text(
                "Chương trình này chưa được ghép: `membercard-verifier terminal pair TÊN`.",
                "This program is not paired: `membercard-verifier terminal pair NAME`.",
            ),
        ),
        "terminal.too-long": (
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            Text("Yêu cầu quá dài.", "The request is too long."),
        ),
        "terminal.not-found": (
            HTTPStatus.NOT_FOUND,
            Text("Không có trang này.", "There is no such page."),
        ),
    }
)


class RefusedError(VerifierError):
    """A request is turned away; ``code`` is one of ``REFUSALS``."""

    default_code = "terminal.not-found"


def refusal_response(code: str, *, is_fragment: bool, wants_json: bool) -> Response:
    """The answer: a problem document for programs, a page or a piece of one for people."""
    status, text = REFUSALS[code]
    if wants_json:
        problem = {"type": f"urn:membercard:{code}", "status": int(status), "code": code}
        return Response(
            json.dumps({**problem, "detail": text.en}),
            status_code=status,
            media_type="application/problem+json",
        )
    piece = (
        f'<div class="refusal" role="alert"><p lang="vi">{escape(text.vi)}</p>'
        f'<p lang="en">{escape(text.en)}</p><p><code>{escape(code)}</code></p></div>'
    )
    page = (
        '<!doctype html><html lang="vi"><head><meta charset="utf-8"><title>membercard</title>'
        '<link rel="icon" href="/static/icon.svg"><link rel="stylesheet" href="/static/terminal.css">'
        f"</head><body>{piece}</body></html>"
    )
    return Response(piece if is_fragment else page, status_code=status, media_type="text/html")
