"""A pcscd of our own with more virtual readers than the machine's: a private configuration, socket and name space.

The driver keeps one table of slots a loaded library, and looks a slot up by its number alone, so that two entries of
the same file share it. pcscd opens each file that an entry names by itself: copies of the driver are drivers of their own.
Where pcscd binds its socket is built in, so it runs where that folder is another one; clients are told by
``PCSCLITE_CSOCK_NAME``, which the client library reads once a process.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simulators.vpcd import HOST, SLOTS_OF_A_DRIVER

__all__ = ["NoPcscdError", "OwnPcscd", "own_pcscd"]

_DRIVER = Path("/usr/lib/pcsc/drivers/serial")
_SOCKET_FOLDER = "/run/pcscd"
_SECONDS_TO_START = 10.0
_FIRST_FREE_PORT = 40_000


class NoPcscdError(Exception):
    """There is no pcscd here, no driver, or no name space to run it in."""


@dataclass(frozen=True, kw_only=True)
class OwnPcscd:
    """One pcscd; ``readers`` are its readers' names with the port behind which each one's chip is."""

    socket: Path
    readers: dict[str, int]

    @property
    def environment(self) -> dict[str, str]:
        """What a client's process needs, from its start on."""
        return {**os.environ, "PCSCLITE_CSOCK_NAME": str(self.socket)}


@contextlib.contextmanager
def own_pcscd(folder: Path, *, readers: int) -> Iterator[OwnPcscd]:
    """Start pcscd with so many virtual readers; it ends with the block.

    Raises:
        NoPcscdError: it cannot be run here.
    """
    program = shutil.which("pcscd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    driver = next(iter(sorted(_DRIVER.glob("libifdvpcd.so*"))), None)
    if program is None or driver is None or shutil.which("unshare") is None:
        raise NoPcscdError("pcscd, vsmartcard-vpcd or unshare is not installed")
    names: dict[str, int] = {}
    for each in ("run", "readers", "drivers"):
        (folder / each).mkdir()
    for entry, port in enumerate(_free_ports(-(-readers // SLOTS_OF_A_DRIVER))):
        copy = folder / "drivers" / f"{entry}.so"
        shutil.copy(driver, copy)
        (folder / "readers" / str(entry)).write_text(
            f'FRIENDLYNAME "Own {entry}"\nDEVICENAME /dev/null:{port:#X}\n'
            f"LIBPATH {copy}\nCHANNELID {port:#X}\n"
        )
        names |= {f"Own {entry} 00 {slot:02}": port + slot for slot in range(SLOTS_OF_A_DRIVER)}
    words = 'mount --bind "$0" "$1" && exec "$2" --foreground --error --config "$3"'
    places = (folder / "run", _SOCKET_FOLDER, program, folder / "readers")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", words, *map(str, places)],
            stdout=log,
            stderr=log,
        )
        try:
            found = OwnPcscd(
                socket=folder / "run" / "pcscd.comm", readers=dict(list(names.items())[:readers])
            )
            _wait_for(found, process, folder / "log")
            yield found
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_SECONDS_TO_START)


def _wait_for(found: OwnPcscd, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until pcscd hears clients, and each reader hears its chip."""
    deadline = time.monotonic() + _SECONDS_TO_START
    while not found.socket.exists() or not all(map(_is_heard, found.readers.values())):
        if process.poll() is not None or time.monotonic() > deadline:
            raise NoPcscdError(
                f"pcscd did not start: {log.read_text()[-200:].strip() or 'no word'}"
            )
        time.sleep(0.05)


def _is_heard(port: int) -> bool:
    """Whether the driver listens, without connecting: it would take us for a chip."""
    listening = Path("/proc/net/tcp").read_text("ascii") + Path("/proc/net/tcp6").read_text("ascii")
    return any(
        words[1].endswith(f":{port:04X}") and words[3] == "0A"
        for words in map(str.split, listening.splitlines()[1:])
        if len(words) > 3
    )


def _free_ports(entries: int) -> Iterator[int]:
    """Ports that nothing listens on, with the next ones of each."""
    port = _FIRST_FREE_PORT + os.getpid() % 10_000
    for _ in range(entries):
        while not all(map(_is_free, range(port, port + SLOTS_OF_A_DRIVER))):
            port += SLOTS_OF_A_DRIVER
        yield port
        port += SLOTS_OF_A_DRIVER


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
