"""Normalises portraits in a process of its own, with a time limit for each."""

import os
import selectors
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from issuer.domain.portrait import NormalisedPortrait, PortraitDoubt
from issuer.errors import IssuerDataError, IssuerUnavailableError
from issuer.portraits.bounds import PortraitBounds

__all__ = ["ProcessPortraitNormaliser"]

_SECONDS = 10.0
_MAX_ANSWER_BYTES = 1024 * 1024
_TAKEN = (b"K", b"F")


class ProcessPortraitNormaliser:
    """One worker for many pictures; a picture that ends or stops it is refused, and the next one gets a new worker."""

    def __init__(self, bounds: PortraitBounds, *, seconds: float = _SECONDS) -> None:
        """Nothing is started before the first picture.

        Args:
            bounds: the bytes of a portrait.
            seconds: the time that one picture may take.
        """
        self._bounds = bounds
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker; the next picture starts another one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def normalise(self, picture: bytes) -> NormalisedPortrait:
        """A JPEG of 3:4 within the bounds of size, and what a person should look at.

        Raises:
            IssuerDataError: the picture is refused (see :func:`~issuer.portraits.normalising.normalise_portrait`),
                takes too long (``portrait.time-limit``) or ends the worker (``portrait.unreadable``).
            IssuerUnavailableError: no worker can be started (``portraits.worker``).
        """
        request = len(picture).to_bytes(4, "big") + picture
        process = self._process
        if process is None:
            process = self._start()
            bounds = (self._bounds.min_bytes, self._bounds.max_bytes)
            request = b"".join(each.to_bytes(4, "big") for each in bounds) + request
        try:
            kind, payload = _exchange(process, request, deadline=time.monotonic() + self._seconds)
        except BaseException:
            # Whatever went wrong, its rest must not be taken for the answer to the next picture.
            self.close()
            raise
        if kind in _TAKEN:
            return _decode(payload, has_checked_faces=kind == b"F")
        code, _, sentence = payload.decode(errors="replace").partition("\0")
        raise IssuerDataError(sentence, code=code)

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            # -P keeps the current directory from lending the worker modules.
            process = subprocess.Popen(
                (sys.executable, "-P", "-m", "issuer.portraits.worker"),
                # Threads of a numerics library would each reserve memory that the worker is denied.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        except OSError as error:
            raise IssuerUnavailableError(
                f"the portrait worker cannot be started: {error.strerror}", code="portraits.worker"
            ) from error
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        self._process = process
        return process


def _decode(payload: bytes, *, has_checked_faces: bool) -> NormalisedPortrait:
    end = 4 + int.from_bytes(payload[:4], "big")
    lines = payload[4:end].decode().splitlines()
    parts = [line.partition("\0") for line in lines]
    return NormalisedPortrait(
        image=payload[end:],
        doubts=tuple(PortraitDoubt(code=code, sentence=sentence) for code, _, sentence in parts),
        has_checked_faces=has_checked_faces,
    )


def _exchange(
    process: subprocess.Popen[bytes], request: bytes, *, deadline: float
) -> tuple[bytes, bytes]:
    """Send one request while reading its answer, so that neither side waits for the other."""
    if process.stdin is None or process.stdout is None:
        raise IssuerUnavailableError("the portrait worker has no pipes", code="portraits.worker")
    left = memoryview(request)
    answer = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ)
        while not _is_complete(answer):
            ready = selector.select(max(deadline - time.monotonic(), 0.0))
            if not ready or time.monotonic() > deadline:
                raise IssuerDataError(
                    "the portrait takes too long to decode", code="portrait.time-limit"
                )
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    left = left[_write(key.fd, left) :]
                    if not left:
                        selector.unregister(process.stdin)
                else:
                    answer += _read(key.fd)
    return bytes(answer[:1]), bytes(answer[5:])


def _is_complete(answer: bytearray) -> bool:
    if len(answer) < 5:
        return False
    length = int.from_bytes(answer[1:5], "big")
    if length > _MAX_ANSWER_BYTES or len(answer) > 5 + length:
        raise _broken()
    return len(answer) == 5 + length


def _write(descriptor: int, data: memoryview) -> int:
    try:
        return os.write(descriptor, data[:65536])
    except BrokenPipeError as error:
        raise _broken() from error


def _read(descriptor: int) -> bytes:
    data = os.read(descriptor, 65536)
    if not data:
        raise _broken()
    return data


def _broken() -> IssuerDataError:
    return IssuerDataError("the portrait ends the decoder", code="portrait.unreadable")
