"""A disk of our own that can be full: a memory file system in a name space of a child process, gone with it."""

import contextlib
import ctypes
import json
import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

_NEW_MOUNTS: Final = 0x00020000
_NEW_USERS: Final = 0x10000000
_NO_NAME_SPACE: Final = 75
_LEAST_ROOM: Final = 4096


class NoNameSpaceError(Exception):
    """This machine lets nobody mount a disk of their own."""


class SmallDisk:
    """A mounted disk; ``filled`` leaves so many pages of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @contextlib.contextmanager
    def filled(self, *, pages_left: int) -> Iterator[None]:
        """All but some pages are taken while the block runs, by a file that really lies there."""
        filler = self.directory / "filler"
        with filler.open("wb", buffering=0) as file:
            state = os.statvfs(self.directory)
            room = state.f_bavail * state.f_frsize - pages_left * _LEAST_ROOM
            while room > 0:
                written = file.write(bytes(min(room, 1 << 16)))
                room -= written or 0
        try:
            yield
        finally:
            filler.unlink()


def on_a_small_disk(directory: Path, *, kibibytes: int, work: Callable[[SmallDisk], Any]) -> Any:
    """What ``work`` gives back, as JSON; it runs in a process of its own, over a disk of this size.

    Raises:
        NoNameSpaceError: there can be no such disk here.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_the_child(directory, kibibytes, work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        said = told.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == _NO_NAME_SPACE:
        raise NoNameSpaceError(said.decode())
    assert os.waitstatus_to_exitcode(status) == 0, said.decode()
    return json.loads(said)


def _be_the_child(
    directory: Path, kibibytes: int, work: Callable[[SmallDisk], Any], writing: int
) -> None:  # pragma: no cover - in the child
    status = 1
    try:
        try:
            _mount(directory, kibibytes)
        except OSError as error:
            status = _NO_NAME_SPACE
            os.write(writing, str(error).encode())
        else:
            os.write(writing, json.dumps(work(SmallDisk(directory))).encode())
            status = 0
    except BaseException:  # noqa: BLE001 - it is told to the parent
        os.write(writing, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _mount(directory: Path, kibibytes: int) -> None:
    """A name space of users and mounts, and in it the disk."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_USERS | _NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    options = f"size={kibibytes}k,mode=700".encode()
    if libc.mount(b"tmpfs", os.fsencode(directory), b"tmpfs", 0, options):
        raise OSError(ctypes.get_errno(), "mount")
