"""The child process that decodes one portrait: picture on standard input, PNG on standard output.

It is run by `verifier.reading.portrait_decoding` and does nothing else, so that a picture which breaks the
decoder breaks nothing but this process.
"""

import io
import os
import signal
import sys
import warnings
from typing import NoReturn

# Whatever decoding needs is loaded before there is a picture: the process waits for one while the card is read.
from PIL import Image, Jpeg2KImagePlugin, JpegImagePlugin, PngImagePlugin

__all__ = ["decode_picture", "main"]

MAX_INPUT_BYTES = 65536
MAX_PIXELS = 4_000_000
_MAX_MEMORY_BYTES = 1024 * 1024 * 1024
_MAX_CPU_SECONDS = 5
_MAX_DECODING_SECONDS = 1.0
"""Of processor time: fifty times what the largest genuine portrait takes. A progressive JPEG may have thousands of
scans in 64 kB, and each of them costs a pass over all pixels."""

_FORMATS = (JpegImagePlugin.JpegImageFile.format, Jpeg2KImagePlugin.Jpeg2KImageFile.format)
_COMPRESSION = 1
"""The picture is shown and thrown away: time counts, size does not."""


def main() -> int:
    """Decode, and give 0; anything else means that there is no picture."""
    _limit_resources()
    # A picture of too many pixels is only a warning to Pillow, at first.
    warnings.simplefilter("error")
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    Image.preinit()
    data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
    if len(data) > MAX_INPUT_BYTES:
        return 1
    _limit_decoding()
    sys.stdout.buffer.write(decode_picture(data))
    return 0


def decode_picture(data: bytes) -> bytes:
    """A JPEG or JPEG 2000 picture as PNG; whatever the decoders raise means that there is none.

    Raises:
        Exception: of any kind.
    """
    with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise ValueError("the picture has too many pixels")
        pixels = picture.convert("RGB")
    # A new picture carries over pixels and nothing else: no comments, profiles or positions.
    pixels.info.clear()
    output = io.BytesIO()
    pixels.save(output, format=PngImagePlugin.PngImageFile.format, compress_level=_COMPRESSION)
    return output.getvalue()


def _limit_resources() -> None:
    """Memory and processor time, where the system can limit them; the parent's clock holds everywhere."""
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_MAX_CPU_SECONDS, _MAX_CPU_SECONDS))


def _limit_decoding() -> None:
    """The system ends this process when decoding takes too long, where it can: the parent's clock holds everywhere."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, _MAX_DECODING_SECONDS)


def _run() -> NoReturn:
    """End at once: tidying the interpreter up would keep the verdict waiting, and there is nothing to tidy up."""
    status = main()
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    _run()
