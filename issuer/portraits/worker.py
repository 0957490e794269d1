"""The process that decodes pictures: one after another, with bounded memory.

Standard input begins with the least and the most bytes of a portrait, four bytes each; then come requests, each
a length of four bytes and a picture. An answer on standard output is one byte, a length of four bytes, and for ``E``
the refusal's code, a null byte and its sentence; for ``F`` (faces were counted) and ``K`` (they were not) the length of
the doubts in four bytes, the doubts as lines like a refusal, and the portrait.
"""

import os
import resource
import sys
from typing import BinaryIO

from PIL import Image

from issuer.domain.portrait import NormalisedPortrait
from issuer.errors import IssuerDataError
from issuer.portraits.bounds import PortraitBounds
from issuer.portraits.normalising import MAX_PIXELS, normalise_portrait
from issuer.portraits.quality import can_count_faces

_MEMORY_BYTES = 1024 * 1024 * 1024


def main() -> int:
    """Answer requests until standard input ends."""
    # What the detector loads is ours, and is loaded before anything comes from outside.
    can_count_faces()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    with (
        os.fdopen(0, "rb", closefd=False) as requests,
        os.fdopen(1, "wb", closefd=False) as answers,
    ):
        bounds = PortraitBounds(
            min_bytes=int.from_bytes(requests.read(4), "big"),
            max_bytes=int.from_bytes(requests.read(4), "big"),
        )
        while header := requests.read(4):
            picture = requests.read(int.from_bytes(header, "big"))
            try:
                _answer(answers, *_encode(normalise_portrait(picture, bounds)))
            except IssuerDataError as error:
                _answer(answers, b"E", f"{error.code}\0{error}".encode())
    return 0


def _encode(portrait: NormalisedPortrait) -> tuple[bytes, bytes]:
    doubts = "\n".join(f"{each.code}\0{each.sentence}" for each in portrait.doubts).encode()
    kind = b"F" if portrait.has_checked_faces else b"K"
    return kind, len(doubts).to_bytes(4, "big") + doubts + portrait.image


def _answer(answers: BinaryIO, kind: bytes, payload: bytes) -> None:
    answers.write(kind + len(payload).to_bytes(4, "big") + payload)
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
