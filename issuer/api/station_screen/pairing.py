"""Who may open a station's screen: a browser that came by the one-time address of this start, known by its cookie."""

import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final

__all__ = ["ScreenPairing"]

_TOKEN_BYTES: Final = 32
_MAX_BROWSERS: Final = 8
_CSRF: Final = b"membercard station csrf v1"


class ScreenPairing:
    """The one-time token that is valid now, and the browsers that redeemed one; all of it is gone with the process.

    Cookies know no ports, so each station of a computer has a cookie of its own name.
    """

    def __init__(self, publish: Callable[[str], None], *, port: int) -> None:
        """Draw the first token.

        Args:
            publish: is given each new one-time token; it says where the address can be found.
            port: where the page is served.
        """
        self.cookie = f"membercard-station-{port}"
        self._publish = publish
        self._lock = threading.Lock()
        self._browsers: OrderedDict[bytes, None] = OrderedDict()
        self._token = self._draw()

    def redeem(self, token: str) -> str | None:
        """The cookie of a new browser for the one-time token, which is then replaced; ``None`` for any other."""
        with self._lock:
            if not secrets.compare_digest(token.encode(), self._token.encode()):
                return None
            value = secrets.token_urlsafe(_TOKEN_BYTES)
            self._browsers[_digest(value)] = None
            while len(self._browsers) > _MAX_BROWSERS:
                self._browsers.popitem(last=False)
            self._token = self._draw()
        return value

    def admits(self, value: str | None) -> bool:
        """Whether a cookie is that of a paired browser."""
        # A digest is looked up, so that the time taken tells nothing about the cookie.
        return value is not None and _digest(value) in self._browsers

    @staticmethod
    def csrf_token(value: str) -> str:
        """What the page's own requests carry beside their cookie; it cannot be known without reading the page."""
        return hmac.digest(value.encode(), _CSRF, sha256).hex()

    def _draw(self) -> str:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._publish(token)
        return token


def _digest(value: str) -> bytes:
    return sha256(value.encode("utf-8", "surrogateescape")).digest()
