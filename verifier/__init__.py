"""Verifies membership cards: ``from verifier import inspect`` is the way in for other programs (docs/library.md).

What it names is imported when it is asked for, so that importing a leaf of this package loads a leaf.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.library import CardPassword, Report, Verdict, inspect

__all__ = ["CardPassword", "Report", "Verdict", "inspect"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("verifier.library"), name)
