"""Every command of every script explains itself: what it does, and examples."""

import importlib
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

PRODUCTS = ("pki", "issuer", "verifier", "simulators")


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that does something."""
    names = getattr(group, "list_commands", None)
    if names is None:
        yield path
        return
    context = typer.Context(group)  # type: ignore[arg-type]
    for name in names(context):
        found = group.get_command(context, name)  # type: ignore[attr-defined]
        yield from commands(found, (*path, name))


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_command_has_examples_in_its_help(product: str) -> None:
    app = importlib.import_module(f"{product}.cli").app
    words = list(commands(typer.main.get_command(app)))
    assert len(words) >= 3
    without = [
        " ".join(path)
        for path in words
        if "Examples:" not in CliRunner().invoke(app, [*path, "--help"]).output
    ]
    assert without == []


def test_the_pki_lists_what_it_loads_late_with_the_sentence_it_has_there() -> None:
    app = importlib.import_module("pki.cli").app
    group = typer.main.get_command(app)
    listed = CliRunner().invoke(app, ["--help"]).output
    for name, lazy in group.lazy.items():  # type: ignore[attr-defined]
        assert f"  {name} " in listed
        assert lazy.load(name).help == lazy.help
