"""A hopper: card images that go into one reader, one after another, in name order."""

from collections.abc import Sequence
from pathlib import Path

from simulators.errors import ImageError

__all__ = ["Hopper", "find_images", "is_hopper"]

_PATTERN_CHARACTERS = frozenset("*?[")


class Hopper:
    """Images still to come; ``current`` is the one in the reader, ``None`` after the last."""

    def __init__(self, images: Sequence[Path]) -> None:
        self._images = tuple(images)
        self._position = 0

    @property
    def current(self) -> Path | None:
        """The image in the reader."""
        return self._images[self._position] if self._position < len(self._images) else None

    def advance(self) -> None:
        """Take the card out and put the next one in."""
        self._position += 1


def is_hopper(text: str) -> bool:
    """Whether the text names several images (a directory, a pattern) and not one file."""
    return Path(text).is_dir() or bool(_PATTERN_CHARACTERS & set(text))


def find_images(text: str) -> tuple[Path, ...]:
    """The images that a directory, a glob pattern, a file, or a comma-separated list of these names.

    Each part gives its images in name order; of a directory only ``*.json`` count.

    Raises:
        ImageError: a part names no image; code ``image.not-found``.
    """
    images: list[Path] = []
    for part in text.split(","):
        found = _find_part(part.strip())
        if not found:
            raise ImageError(f"{part.strip()!r} names no card image", code="image.not-found")
        images += found
    return tuple(images)


def _find_part(part: str) -> list[Path]:
    path = Path(part)
    if not part:
        return []
    if path.is_dir():
        return sorted(path.glob("*.json"))
    if is_hopper(part):
        root = Path(path.anchor) if path.is_absolute() else Path()
        return sorted(match for match in root.glob(str(path.relative_to(root))) if match.is_file())
    return [path] if path.is_file() else []
