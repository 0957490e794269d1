"""Which checkpoints to believe: a trust policy for logs (C2SP tlog-policy), the quorum of witnesses with its time.

Bounds that the specification leaves open: at most 32 logs, 32 witnesses and 32 groups. ``quorum none`` is refused,
because without a witness nobody but the log itself says when.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from pki.errors import PkiDataError, PkiRefusedError
from pki.record.transparency_cosignature import WitnessKey
from pki.record.transparency_note import Checkpoint, NoteKey, SignedNote

__all__ = ["MAX_POLICY_BYTES", "LogPolicy", "WitnessGroup"]

MAX_POLICY_BYTES: Final = 65536
_MAX_ENTRIES: Final = 32
_NONE: Final = "none"
_RESERVED: Final = frozenset({_NONE, "any", "all"})
_NAME: Final = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessGroup:
    """Counts as having witnessed once ``threshold`` of its members have, each a witness or an earlier group."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPolicy:
    """The logs that are believed, the witnesses by their names in this policy, and whose word is enough."""

    logs: tuple[NoteKey, ...]
    witnesses: Mapping[str, WitnessKey]
    groups: Mapping[str, WitnessGroup]
    quorum: str

    def __post_init__(self) -> None:
        if not self.logs:
            raise _malformed("it names no log")
        if self.quorum not in self.witnesses and self.quorum not in self.groups:
            raise _malformed(f"its quorum {self.quorum[:40]!r} is no witness and no group of it")

    @classmethod
    def of_threshold(cls, *, log: NoteKey, witnesses: Sequence[WitnessKey], threshold: int) -> Self:
        """The policy of one log and so many of these witnesses.

        Raises:
            PkiDataError: ``log.policy-malformed``.
        """
        lines = [f"log {log.to_text()}"]
        names = [f"witness-{number}" for number in range(1, len(witnesses) + 1)]
        lines += [
            f"witness {name} {key.to_text()}" for name, key in zip(names, witnesses, strict=True)
        ]
        lines += [" ".join(["group", "enough", str(threshold), *names]), "quorum enough"]
        return cls.from_bytes("".join(f"{line}\n" for line in lines).encode())

    def to_bytes(self) -> bytes:
        """The policy as a file, without addresses and comments."""
        lines = [f"log {key.to_text()}" for key in self.logs]
        lines += [f"witness {name} {key.to_text()}" for name, key in self.witnesses.items()]
        lines += [
            " ".join(["group", name, str(group.threshold), *group.members])
            for name, group in self.groups.items()
        ]
        lines.append(f"quorum {self.quorum}")
        return "".join(f"{line}\n" for line in lines).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a policy strictly.

        Raises:
            PkiDataError: ``log.policy-malformed``, ``log.key-malformed``.
        """
        if len(data) > MAX_POLICY_BYTES:
            raise _malformed(f"it has {len(data)} bytes, expected at most {MAX_POLICY_BYTES}")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise _malformed("it is not UTF-8") from error
        if any((each < " " and each not in "\t\n") or each == "\x7f" for each in text):
            raise _malformed("it holds control characters")
        if not text.endswith("\n"):
            raise _malformed("its last line has no end")
        reader = _Reader()
        for line in text[:-1].split("\n"):
            reader.take(re.findall(r"[^ \t]+", line))
        if reader.quorum is None:
            raise _malformed("it has no line quorum")
        return cls(
            logs=tuple(reader.logs),
            witnesses=reader.witnesses,
            groups=reader.groups,
            quorum=reader.quorum,
        )

    def open(self, note: SignedNote) -> tuple[Checkpoint, datetime]:
        """The checkpoint of a known log, and the earliest time at which a quorum of witnesses had seen it.

        Raises:
            PkiRefusedError: ``log.signature-wrong``, ``log.other-origin``; ``log.quorum-missing``.
            PkiDataError: ``log.checkpoint-malformed``.
        """
        checkpoint = self._of_known_log(note)
        moment = self.quorum_time(
            {name: key.first_time(note) for name, key in self.witnesses.items()}
        )
        if moment is None:
            raise PkiRefusedError(
                f"checkpoint of {checkpoint.origin!r} lacks the cosignatures that "
                f"quorum {self.quorum!r} asks for",
                code="log.quorum-missing",
            )
        return checkpoint, moment

    def quorum_time(self, times: Mapping[str, datetime | None]) -> datetime | None:
        """When the quorum was complete, if each witness signed at its time, or never (``None``)."""
        known = dict(times)
        for name, group in self.groups.items():
            # Groups stand behind their members, so that all of these are known.
            found = sorted(moment for each in group.members if (moment := known[each]) is not None)
            known[name] = found[group.threshold - 1] if len(found) >= group.threshold else None
        return known[self.quorum]

    def _of_known_log(self, note: SignedNote) -> Checkpoint:
        origin = note.text.partition("\n")[0]
        for key in self.logs:
            if key.name == origin:
                return Checkpoint.open(note, [key])
        raise PkiRefusedError(
            f"checkpoint is of log {origin[:80]!r}, expected {[key.name for key in self.logs]}",
            code="log.other-origin",
        )


class _Reader:
    """What the lines of a policy say, each built on those before it."""

    def __init__(self) -> None:
        self.logs: list[NoteKey] = []
        self.witnesses: dict[str, WitnessKey] = {}
        self.groups: dict[str, WitnessGroup] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()

    def take(self, words: list[str]) -> None:
        """Take one line in."""
        if not words or words[0].startswith("#"):
            return
        kind, *rest = words
        if kind == "log" and len(rest) in (1, 2):
            self._log(NoteKey.from_text(rest[0]))
        elif kind == "witness" and len(rest) in (2, 3):
            self._witness(rest[0], WitnessKey.from_text(rest[1]))
        elif kind == "group" and len(rest) >= 3:
            self._group(rest[0], rest[1], tuple(rest[2:]))
        elif kind == "quorum" and len(rest) == 1:
            self._quorum(rest[0])
        else:
            raise _malformed(f"a line {kind[:40]!r} of {len(words)} words is not one of a policy")

    def _log(self, key: NoteKey) -> None:
        if any(key.spki == other.spki or key.name == other.name for other in self.logs):
            raise _malformed(f"log {key.name!r} or its key stands twice")
        self.logs.append(key)
        _check_count(len(self.logs), "logs")

    def _witness(self, name: str, key: WitnessKey) -> None:
        self._check_new(name)
        # One machine under two names would count twice.
        if any(key.public_key == other.public_key for other in self.witnesses.values()):
            raise _malformed(f"the key of witness {name!r} stands twice")
        self.witnesses[name] = key
        _check_count(len(self.witnesses), "witnesses")

    def _group(self, name: str, count: str, members: tuple[str, ...]) -> None:
        self._check_new(name)
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise _malformed(
                    f"group {name!r} has the member {member[:40]!r}, which stands on no line before it"
                )
            if member in self._members:
                raise _malformed(f"{member!r} is a member twice, expected at most once")
            self._members.add(member)
        self.groups[name] = WitnessGroup(
            threshold=_threshold(name, count, len(members)), members=members
        )
        _check_count(len(self.groups), "groups")

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise _malformed("it has two lines quorum")
        if name == _NONE:
            raise _malformed("its quorum is none, expected a witness or a group")
        if name not in self.witnesses and name not in self.groups:
            raise _malformed(f"its quorum {name[:40]!r} stands on no line before it")
        self.quorum = name

    def _check_new(self, name: str) -> None:
        if name in _RESERVED or not _NAME.fullmatch(name):
            raise _malformed(f"{name[:40]!r} cannot be the name of a witness or a group")
        if name in self.witnesses or name in self.groups:
            raise _malformed(f"{name!r} stands for two things")


def _threshold(name: str, count: str, members: int) -> int:
    if count == "all":
        return members
    if count == "any":
        return 1
    if not re.fullmatch(r"[1-9][0-9]?", count) or int(count) > members:
        raise _malformed(
            f"group {name!r} asks for {count[:40]!r} of {members} members, expected any, all or a number up to that"
        )
    return int(count)


def _check_count(count: int, what: str) -> None:
    if count > _MAX_ENTRIES:
        raise _malformed(f"it has more than {_MAX_ENTRIES} {what}")


def _malformed(reason: str) -> PkiDataError:
    return PkiDataError(f"policy for logs cannot be used: {reason}", code="log.policy-malformed")
