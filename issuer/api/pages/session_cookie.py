"""The cookie that holds a session's token."""

from fastapi import Response

from issuer.api.gate import SESSION_COOKIE
from issuer.domain.session import SessionToken

__all__ = ["set_session_cookie"]


def set_session_cookie(response: Response, token: SessionToken) -> None:
    """Hand a session's token to the browser; no script can read it, and no other site can use it."""
    response.set_cookie(
        SESSION_COOKIE, token.text, secure=True, httponly=True, samesite="strict", path="/"
    )
