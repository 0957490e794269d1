"""Who may open a station's screen: a browser that came by the one-time address of this start, known by its cookie."""

from collections.abc import Callable
from typing import Final

from pki.web.local_page import LocalPairing

__all__ = ["ScreenPairing"]

_CSRF: Final = b"membercard station csrf v1"


class ScreenPairing(LocalPairing):
    """The pairing of one station's screen; each station of a computer has a cookie of its own name."""

    def __init__(self, publish: Callable[[str], None], *, port: int) -> None:
        """``publish`` is given each new one-time token; ``port`` is where the page is served."""
        super().__init__(publish, cookie=f"membercard-station-{port}", context=_CSRF)
