"""The messages of the local interface for programs, version 1: what may be said, in both directions.

docs/terminal-interface.schema.json is made of these models; a test compares the two. A member that is not named here is
refused from programs; programs should ignore members that they do not know, because later versions may add some.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

__all__ = [
    "COMMANDS",
    "INTERFACE_VERSION",
    "MESSAGES",
    "BadCommand",
    "BadState",
    "Cancel",
    "Command",
    "EnterCan",
    "GetInfo",
    "GetReaderList",
    "Holder",
    "Info",
    "InsertCard",
    "Message",
    "Progress",
    "Reader",
    "ReaderList",
    "ReaderOfList",
    "Result",
    "RunInspection",
    "SetCan",
    "SetHolder",
    "SetMrz",
    "schema",
]

INTERFACE_VERSION: Final = 1

Code = Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)+$", max_length=80)]
Answer = Literal["compared-yes", "no", "not-done"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class GetInfo(_Strict):
    """Who is there: answered with INFO."""

    cmd: Literal["GET_INFO"]


class GetReaderList(_Strict):
    """All PC/SC readers of this computer: answered with READER_LIST."""

    cmd: Literal["GET_READER_LIST"]


class RunInspection(_Strict):
    """Inspect the card that is in, or the next one; from now on the terminal tells how far it is, until RESULT."""

    cmd: Literal["RUN_INSPECTION"]


class SetCan(_Strict):
    """The six digits that are printed on the card; while an inspection runs."""

    cmd: Literal["SET_CAN"]
    value: Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class SetMrz(_Strict):
    """The machine-readable zone, or NUMBER/YYMMDD/YYMMDD, instead of the CAN."""

    cmd: Literal["SET_MRZ"]
    value: Annotated[str, Field(min_length=1, max_length=200)]


class SetHolder(_Strict):
    """Whether somebody compared the person with the portrait; after the RESULT of an accepted card, while it is in."""

    cmd: Literal["SET_HOLDER"]
    answer: Answer


class Cancel(_Strict):
    """End the inspection of this program and clear the screen."""

    cmd: Literal["CANCEL"]


Command = Annotated[
    GetInfo | GetReaderList | RunInspection | SetCan | SetMrz | SetHolder | Cancel,
    Field(discriminator="cmd"),
]


class Info(_Strict):
    """The first message of every connection."""

    msg: Literal["INFO"] = "INFO"
    interface: Literal[1] = 1
    version: str
    """Of membercard-verifier."""
    terminal: str
    """The terminal's name in its journal."""
    purpose: str
    """The purpose that it inspects for; nobody can change it from here."""


class ReaderOfList(_Strict):
    """One reader."""

    name: str
    watched: bool
    """Whether it is the one that this terminal watches."""


class ReaderList(_Strict):
    """The answer to GET_READER_LIST."""

    msg: Literal["READER_LIST"] = "READER_LIST"
    readers: list[ReaderOfList]


class Reader(_Strict):
    """The watched reader came, went, or got or lost a card; sent after INFO as well."""

    msg: Literal["READER"] = "READER"
    name: str
    attached: bool
    card: bool
    reason: Code | None = None
    """Why there is no reader, where there is none."""


class InsertCard(_Strict):
    """The inspection waits for a card."""

    msg: Literal["INSERT_CARD"] = "INSERT_CARD"
    reason: Code | None = None
    """What happened before, as a card that was taken out too early."""


class EnterCan(_Strict):
    """The inspection waits for SET_CAN or SET_MRZ; the clerk may type it as well."""

    msg: Literal["ENTER_CAN"] = "ENTER_CAN"
    reason: Code | None = None
    wait_seconds: Annotated[float, Field(ge=0)] = 0.0
    """How long no password is taken, after several wrong ones."""


class Progress(_Strict):
    """How far the reading is."""

    msg: Literal["PROGRESS"] = "PROGRESS"
    phase: Literal["connect", "access", "chip", "files", "judge"]
    files: Annotated[int, Field(ge=0)] = 0


class Result(_Strict):
    """The end of an inspection; ``verdict`` is null where nothing was judged, and ``reason`` says why."""

    msg: Literal["RESULT"] = "RESULT"
    verdict: Literal["accepted", "refused", "unreadable"] | None
    assurance: Literal["none", "data", "data-and-chip"] | None = None
    reason: Code | None = None
    """The first code that stood in the way; null for an accepted card."""
    codes: list[Code] = []
    notes: list[Code] = []
    purpose: str | None = None
    record: int | None = None
    """Its number in the terminal's journal."""
    judged_at: datetime | None = None
    holder: dict[str, Any] | None = None
    """The fields of an accepted card that the terminal may read; only for programs paired with --holder."""


class Holder(_Strict):
    """Somebody answered whether the holder is the one in the portrait."""

    msg: Literal["HOLDER"] = "HOLDER"
    answer: Answer


class BadState(_Strict):
    """The command does not fit what the terminal is doing; nothing happened."""

    msg: Literal["BAD_STATE"] = "BAD_STATE"
    error: str
    """The command."""
    reason: Code
    wait_seconds: float | None = None


class BadCommand(_Strict):
    """The message was no command, or its value means nothing; nothing happened."""

    msg: Literal["BAD_COMMAND"] = "BAD_COMMAND"
    error: str | None
    """The command, where one could be made out."""
    reason: Code


Message = Annotated[
    Info
    | ReaderList
    | Reader
    | InsertCard
    | EnterCan
    | Progress
    | Result
    | Holder
    | BadState
    | BadCommand,
    Field(discriminator="msg"),
]

COMMANDS: Final[TypeAdapter[Command]] = TypeAdapter(Command)
MESSAGES: Final[TypeAdapter[Message]] = TypeAdapter(Message)


def schema() -> dict[str, Any]:
    """The JSON schema of both directions: ``#/$defs/Command`` and ``#/$defs/Message``."""
    template = "#/$defs/{model}"
    commands = COMMANDS.json_schema(ref_template=template)
    messages = MESSAGES.json_schema(ref_template=template, mode="serialization")
    definitions = {**commands.pop("$defs"), **messages.pop("$defs")}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:membercard:terminal-interface:1",
        "title": "The local interface of a membercard terminal, version 1",
        "anyOf": [{"$ref": "#/$defs/Command"}, {"$ref": "#/$defs/Message"}],
        "$defs": {**definitions, "Command": commands, "Message": messages},
    }
