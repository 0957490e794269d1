"""Who may open the terminal's page: a browser that came by the one-time address of this start, known by its cookie."""

from collections.abc import Callable
from typing import Final

from pki.web.local_page import LocalPairing

__all__ = ["COOKIE", "PagePairing"]

COOKIE: Final = "membercard-terminal"
_CSRF: Final = b"membercard terminal csrf v1"


class PagePairing(LocalPairing):
    """The pairing of a terminal's page."""

    def __init__(self, publish: Callable[[str], None]) -> None:
        """``publish`` is given each new one-time token; it says where the address can be found."""
        super().__init__(publish, cookie=COOKIE, context=_CSRF)
