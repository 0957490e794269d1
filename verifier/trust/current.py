"""What a long-running process trusts: loaded once, and again when another bundle was installed."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pki.card_verifiable.certificate import CvCertificate
from pki.errors import PkiError
from pki.services.terminal_export import read_certificates
from verifier.errors import TrustError
from verifier.trust.directory import Trust, load_trust
from verifier.trust.installed import InstalledBundle, current_layout, installed

__all__ = ["CurrentTrust", "LoadedTrust"]

_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTrust:
    """One bundle, loaded: ``terminal_roots`` are the CVCAs' self-signed certificates of its ``cvca/``."""

    trust: Trust
    bundle: InstalledBundle | None
    terminal_roots: tuple[CvCertificate, ...]


class CurrentTrust:
    """A trust directory; safe to share among threads. ``monotonic`` gives seconds since some moment."""

    def __init__(self, directory: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Load it.

        Raises:
            TrustError: ``trust.missing``, ``trust.malformed``, ``policy.malformed``.
        """
        if not directory.is_dir():
            raise TrustError(
                f"trust directory {str(directory)!r} is not there", code="trust.missing"
            )
        self._directory = directory
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._loaded = _load(directory)
        self._looked_at = monotonic()

    def get(self) -> LoadedTrust:
        """What is trusted now; ``bundle.json`` is looked at once a second at most.

        Raises:
            TrustError: a bundle was installed that cannot be loaded.
        """
        if self._monotonic() - self._looked_at < _LOOK_SECONDS:
            return self._loaded
        with self._lock:
            if self._monotonic() - self._looked_at >= _LOOK_SECONDS:
                if installed(self._directory) != self._loaded.bundle:
                    self._loaded = _load(self._directory)
                self._looked_at = self._monotonic()
            return self._loaded


def _load(directory: Path) -> LoadedTrust:
    bundle = installed(directory)
    layout = current_layout(directory)
    try:
        certificates = read_certificates(layout / "cvca") if (layout / "cvca").is_dir() else []
    except PkiError as error:
        raise TrustError(f"{layout}: {error}", code="trust.malformed") from error
    return LoadedTrust(
        trust=load_trust(directory),
        bundle=bundle,
        terminal_roots=tuple(item for item in certificates if item.body.is_self_signed),
    )
