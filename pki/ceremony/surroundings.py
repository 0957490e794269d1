"""Where a ceremony takes place: network interfaces, tools, the program itself, and a file system in memory."""

import fcntl
import os
import platform
import socket
import ssl
import struct
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from pki.errors import PkiRefusedError, RecordError

__all__ = [
    "Surroundings",
    "check_offline",
    "check_sheet_directory",
    "look_around",
    "refuse_core_files",
]

_GET_INTERFACE_FLAGS: Final = 0x8913
"""SIOCGIFFLAGS, netdevice(7)."""

_UP: Final = 0x1
_LOOPBACK: Final = 0x8
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_PACKAGES: Final = (
    "membercard",
    "cryptography",
    "shamir-mnemonic",
    "reportlab",
    "python-pkcs11",
    "typer",
)
_PROGRAM_FOLDERS: Final = ("pki", "card_layout")
_PROGRAM_FILES: Final = frozenset({".py", ".toml", ".ttf"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the transcript says about the machine; ``program`` is the hash over the names and hashes of its files."""

    tools: str
    program: str
    program_files: int
    entropy: str
    interfaces: tuple[str, ...]


def look_around() -> Surroundings:
    """The machine as it is now.

    Raises:
        PkiRefusedError: ``ceremony.surroundings-unknown``.
    """
    tools = [
        f"python {platform.python_version()}",
        ssl.OPENSSL_VERSION,
        f"{platform.system()} {platform.release()}",
    ]
    for package in _PACKAGES:
        try:
            tools.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            tools.append(f"{package} is absent")
    program, count = _program_hash()
    return Surroundings(
        tools=", ".join(tools),
        program=program,
        program_files=count,
        entropy=f"getrandom(2) of {platform.system()} {platform.release()}",
        interfaces=_interfaces_up(),
    )


def check_offline(found: Surroundings) -> None:
    """Whether no network interface is up but the loopback.

    Raises:
        PkiRefusedError: ``ceremony.online``.
    """
    if found.interfaces:
        raise PkiRefusedError(
            f"network interface {found.interfaces[0]} is up, expected none but the loopback",
            code="ceremony.online",
            hint="pull the cable and switch radio off; --rehearse practises on any machine",
        )


def check_sheet_directory(directory: Path, *, is_rehearsal: bool) -> Path:
    """The directory itself, once it is private and lies in memory; a rehearsal's may lie anywhere.

    Raises:
        PkiRefusedError: ``ceremony.sheets-on-disk``.
        RecordError: ``ceremony.sheets-unwritable``.
    """
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        place = directory.resolve(strict=True)
        if place.stat().st_mode & 0o077:
            raise PkiRefusedError(
                f"{directory} can be read by others, expected mode 0700",
                code="ceremony.sheets-on-disk",
            )
        mounts = Path("/proc/self/mounts").read_text("utf-8")
    except OSError as error:
        raise RecordError(
            f"directory for sheets {directory} cannot be used: {error.strerror}",
            code="ceremony.sheets-unwritable",
        ) from error
    if not is_rehearsal and _file_system_of(place, mounts) not in _IN_MEMORY:
        raise PkiRefusedError(
            f"{directory} lies on a disk, expected a file system in memory (tmpfs)",
            code="ceremony.sheets-on-disk",
            hint="--sheets /dev/shm/sheets, or leave it out and write the words down from the screen",
        )
    return place


def _file_system_of(place: Path, mounts: str) -> str:
    best = (-1, "")
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(fields[1].encode().decode("unicode_escape"))
        if place.is_relative_to(point):
            # The last of equally long ones lies on top.
            best = max(best, (len(point.parts), fields[2]), key=lambda item: item[0])
    return best[1]


def _interfaces_up() -> tuple[str, ...]:
    up = []
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            for _, name in socket.if_nameindex():
                request = struct.pack("16sH14x", name.encode(), 0)
                answer = fcntl.ioctl(asked.fileno(), _GET_INTERFACE_FLAGS, request)
                (flags,) = struct.unpack_from("H", answer, 16)
                if flags & _UP and not flags & _LOOPBACK:
                    up.append(name)
    except OSError as error:
        raise PkiRefusedError(
            "whether a network is up cannot be told on this machine",
            code="ceremony.surroundings-unknown",
        ) from error
    return tuple(sorted(up))


def _program_hash() -> tuple[str, int]:
    """SHA-256 over ``hash  name`` lines, as ``sha256sum`` writes them, in the order of the names."""
    root = Path(__file__).resolve().parents[2]
    names = sorted(
        path.relative_to(root).as_posix()
        for folder in _PROGRAM_FOLDERS
        for path in (root / folder).rglob("*")
        if path.suffix in _PROGRAM_FILES and path.is_file()
    )
    lines = [f"{sha256((root / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    return sha256("".join(lines).encode()).hexdigest(), len(names)


def refuse_core_files() -> None:
    """Keep this process's memory out of files and of other processes of the same user."""
    import resource  # noqa: PLC0415 - a ceremony alone needs it, and Windows has none

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
