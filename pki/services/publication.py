"""The port behind which certificates and lists are put for others to fetch."""

from typing import Protocol

__all__ = ["Publication"]


class Publication(Protocol):
    """Where certificates and CRLs are put for others to fetch; publishing the same thing twice is harmless."""

    def publish_certificate(self, name: str, der: bytes) -> None:
        """Publish a certificate under a plain name."""

    def publish_crl(self, name: str, der: bytes) -> None:
        """Publish a CRL under a plain name, over the one before."""

    def publish_stop_list(self, name: str, der: bytes) -> None:
        """Publish a stop list under a plain name, over the one before."""

    def publish_master_list(self, name: str, der: bytes) -> None:
        """Publish a master list under a plain name, over the one before."""
