"""Command groups that are imported when they are called, so that nobody waits for a database or a PDF library in vain."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter

__all__ = ["LazyCommands", "LazyGroup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LazyCommands:
    """Where a group's ``typer.Typer`` stands, and what the list of commands says of it meanwhile.

    Attributes:
        module: the module's name.
        attribute: the name of the ``typer.Typer`` in it.
        help: what the list says.
        is_command: it holds one command, which is called by the name of the whole.
    """

    module: str
    attribute: str
    help: str
    is_command: bool = False

    def app(self, name: str) -> typer.Typer:  # noqa: ARG002 - for those that name their commands
        """Import it."""
        found = getattr(import_module(self.module), self.attribute)
        if not isinstance(found, typer.Typer):
            raise TypeError(f"{self.module}.{self.attribute} is no group of commands")
        return found

    def load(self, name: str) -> "Command":
        """The command or group, imported, under this name."""
        found = self.app(name)
        command = typer.main.get_command(found) if self.is_command else typer.main.get_group(found)
        command.name = name
        return command


class LazyGroup(TyperGroup):
    """A group of which some commands are only known by name until one of them is called; make one with ``of``."""

    lazy: ClassVar[Mapping[str, LazyCommands]] = MappingProxyType({})
    _is_listing = False

    @classmethod
    def of(cls, lazy: Mapping[str, LazyCommands]) -> "type[LazyGroup]":
        """The class of a group with these commands behind the others."""
        return type("LazyGroup", (cls,), {"lazy": MappingProxyType(dict(lazy))})

    def list_commands(self, ctx: "Context") -> list[str]:
        """The names of all of them."""
        return [*super().list_commands(ctx), *self.lazy]

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        """The command, imported if need be."""
        found = self.lazy.get(cmd_name)
        if found is None:
            return super().get_command(ctx, cmd_name)
        if self._is_listing:
            return TyperCommand(name=cmd_name, help=found.help)
        return found.load(cmd_name)

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Write the list without importing what it names."""
        self._is_listing = True
        try:
            super().format_commands(ctx, formatter)
        finally:
            self._is_listing = False
