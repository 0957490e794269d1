"""Who may open the page: a browser that came by the one-time address of this start, known by its cookie from then on."""

import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final

__all__ = ["COOKIE", "PagePairing"]

COOKIE: Final = "membercard-terminal"
_TOKEN_BYTES: Final = 32
_MAX_BROWSERS: Final = 8
_CSRF: Final = b"membercard terminal csrf v1"


class PagePairing:
    """The one-time token that is valid now, and the browsers that redeemed one; all of it is gone with the process."""

    def __init__(self, publish: Callable[[str], None]) -> None:
        """Draw the first token.

        Args:
            publish: is given each new one-time token; it says where the address can be found.
        """
        self._publish = publish
        self._lock = threading.Lock()
        self._browsers: OrderedDict[bytes, None] = OrderedDict()
        self._token = self._draw()

    def redeem(self, token: str) -> str | None:
        """The cookie of a new browser for the one-time token, which is then replaced; ``None`` for any other."""
        with self._lock:
            if not secrets.compare_digest(token.encode(), self._token.encode()):
                return None
            cookie = secrets.token_urlsafe(_TOKEN_BYTES)
            self._browsers[_digest(cookie)] = None
            while len(self._browsers) > _MAX_BROWSERS:
                self._browsers.popitem(last=False)
            self._token = self._draw()
        return cookie

    def admits(self, cookie: str | None) -> bool:
        """Whether a cookie is that of a paired browser."""
        # A digest is looked up, so that the time taken tells nothing about the cookie.
        return cookie is not None and _digest(cookie) in self._browsers

    @staticmethod
    def csrf_token(cookie: str) -> str:
        """What the page's own requests carry beside their cookie; it cannot be known without reading the page."""
        return hmac.digest(cookie.encode(), _CSRF, sha256).hex()

    def _draw(self) -> str:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._publish(token)
        return token


def _digest(cookie: str) -> bytes:
    return sha256(cookie.encode("utf-8", "surrogateescape")).digest()
