"""How large a portrait may be; who only says so loads no decoder of pictures."""

from dataclasses import dataclass

from issuer.errors import IssuerDataError

__all__ = ["PortraitBounds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortraitBounds:
    """How many bytes the card's portrait may have."""

    min_bytes: int
    max_bytes: int

    def __post_init__(self) -> None:
        if not 0 < self.min_bytes <= self.max_bytes:
            raise IssuerDataError(
                f"portrait bounds are {self.min_bytes} to {self.max_bytes} bytes",
                code="settings.portrait-bounds",
            )
