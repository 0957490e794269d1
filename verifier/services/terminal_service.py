"""The files that make a terminal a service of a Debian machine: a hardened systemd unit, its user, and its right to PC/SC."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from verifier.errors import UsageError

__all__ = ["ServiceFile", "TerminalService"]

_NAME: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}", re.ASCII)
_ADDRESS: Final = re.compile(r"https://[A-Za-z0-9.\[\]:/_-]{1,200}")
_UNIT: Final = "membercard-terminal.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFile:
    """One file of the service, by its place on the machine."""

    path: PurePosixPath
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalService:
    """What the service runs, as whom, and who may open its page."""

    program: PurePosixPath
    reader: str
    trust: PurePosixPath
    user: str
    page_group: str
    listen: str
    purpose: str | None = None
    credentials: PurePosixPath | None = None
    pin_file: PurePosixPath | None = None
    centre: str | None = None
    """The central service: with it, a timer does what a network is for; with ``pki``, it renews the certificate, too."""
    pki: str | None = None

    def __post_init__(self) -> None:
        for what, name in (("user", self.user), ("group", self.page_group)):
            if not _NAME.fullmatch(name):
                raise UsageError(f"got {what} {name[:40]!r}, expected a name of lower-case letters")
        for text in (self.reader, str(self.trust), str(self.program), self.purpose or ""):
            if not text.isprintable() or '"' in text or "\\" in text:
                raise UsageError(
                    f"{text[:60]!r} cannot stand in a unit: it holds a quote, a backslash or a control character"
                )
        self._check_services()
        for path in (self.program, self.trust, self.credentials, self.pin_file):
            if path is not None and not path.is_absolute():
                raise UsageError(f"{str(path)!r} is no absolute path, which a service needs")

    def _check_services(self) -> None:
        for address in (self.centre, self.pki):
            if address is not None and _ADDRESS.fullmatch(address) is None:
                raise UsageError(
                    f"got address {address[:60]!r}, expected one as https://centre.example"
                )
        if self.centre is not None and self.credentials is None:
            raise UsageError("--centre needs --terminal: a terminal signs what it sends")
        if self.pki is not None and self.centre is None:
            raise UsageError("--pki needs --centre: one timer does both")

    def files(self) -> tuple[ServiceFile, ...]:
        """All files, the unit first."""
        return (*self._terminal_files(), *self._sync_files())

    def _terminal_files(self) -> tuple[ServiceFile, ...]:
        return (
            ServiceFile(path=PurePosixPath("/etc/systemd/system", _UNIT), content=self._unit()),
            ServiceFile(
                path=PurePosixPath("/etc/sysusers.d/membercard-terminal.conf"),
                content=f'u {self.user} - "membercard terminal" /var/lib/membercard-terminal\n'
                f"g {self.page_group} -\nm {self.user} {self.page_group}\n",
            ),
            ServiceFile(
                path=PurePosixPath("/etc/polkit-1/rules.d/50-membercard-terminal.rules"),
                content=_POLKIT.replace("USER", self.user),
            ),
        )

    def _sync_files(self) -> tuple[ServiceFile, ...]:
        """A service of its own, which alone has a network, and the timer that starts it."""
        if self.centre is None:
            return ()
        words = [str(self.program), "terminal", "sync", "--centre", self.centre]
        words += [] if self.pki is None else ["--pki", self.pki]
        words += ["--trust", str(self.trust), "--terminal", str(self.credentials)]
        words += ["--terminal-pin-file", str(self.pin_file)]
        unit = (
            _SYNC.replace("COMMAND", " ".join(_quoted(word) for word in words))
            .replace("WRITABLE", f"-{self.trust} -{self.credentials}")
            .replace("USER", self.user)
        )
        folder = PurePosixPath("/etc/systemd/system")
        return (
            ServiceFile(path=folder / "membercard-terminal-sync.service", content=unit),
            ServiceFile(path=folder / "membercard-terminal-sync.timer", content=_TIMER),
        )

    def _unit(self) -> str:
        words = [str(self.program), "terminal", "run", "--reader", self.reader]
        words += ["--trust", str(self.trust), "--listen", self.listen]
        if self.purpose is not None:
            words += ["--purpose", self.purpose]
        if self.credentials is not None and self.pin_file is not None:
            words += [
                "--terminal",
                str(self.credentials),
                "--terminal-pin-file",
                str(self.pin_file),
            ]
        command = " ".join(_quoted(word) for word in words)
        return (
            _SERVICE.replace("COMMAND", command)
            .replace("WRITABLE", f"-{self.trust}")
            .replace("USER", self.user)
            .replace("GROUP", self.page_group)
        )


def _quoted(word: str) -> str:
    """A word of ExecStart (systemd.service, COMMAND LINES): % and $ stand for themselves when doubled."""
    escaped = word.replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if re.search(r"[\s';]", escaped) else escaped


_SERVICE: Final = """\
# Written by `membercard-verifier terminal install`; changes belong into a drop-in (systemctl edit).
[Unit]
Description=Terminal that inspects membership cards
Documentation=man:pcscd(8)
Wants=pcscd.socket
After=pcscd.socket

[Service]
Type=exec
ExecStart=COMMAND
Restart=on-failure
RestartSec=2
User=USER
Group=GROUP
StateDirectory=membercard-terminal
StateDirectoryMode=0700
RuntimeDirectory=membercard-terminal
RuntimeDirectoryMode=0750
ReadWritePaths=WRITABLE
Environment=MEMBERCARD_VERIFIER_PAGE_FILE=/run/membercard-terminal/page
UMask=0027

# It talks to pcscd's socket and to browsers of this machine, writes its own directory, and does nothing else.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=no
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
IPAddressDeny=any
IPAddressAllow=localhost
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @mount @debug
SystemCallErrorNumber=EPERM
LimitCORE=0
MemoryMax=512M
TasksMax=128

[Install]
WantedBy=multi-user.target
"""

_SYNC: Final = """\
# Written by `membercard-verifier terminal install`; changes belong into a drop-in (systemctl edit).
[Unit]
Description=Bundle, certificate and journal of the terminal that inspects membership cards
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=COMMAND
User=USER
StateDirectory=membercard-terminal
StateDirectoryMode=0700
ReadWritePaths=WRITABLE
UMask=0027

# It talks to two services over the network, writes what it is given, and touches no reader.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @mount @debug
SystemCallErrorNumber=EPERM
LimitCORE=0
MemoryMax=256M
TasksMax=64
"""

_TIMER: Final = """\
# Written by `membercard-verifier terminal install`; changes belong into a drop-in (systemctl edit).
[Unit]
Description=What a terminal does when there is a network, every quarter of an hour

[Timer]
OnBootSec=2min
OnUnitActiveSec=15min
RandomizedDelaySec=5min

[Install]
WantedBy=timers.target
"""

_POLKIT: Final = """\
// Written by `membercard-verifier terminal install`: without a session of its own, the service needs this for PC/SC.
polkit.addRule(function (action, subject) {
  if ((action.id === "org.debian.pcsc-lite.access_pcsc" || action.id === "org.debian.pcsc-lite.access_card")
      && subject.user === "USER") {
    return polkit.Result.YES;
  }
});
"""
