"""Card production as commands open it: of the home directory, and of the cards that their user allowed."""

from contextlib import AbstractContextManager

import typer

from issuer.bootstrap_production import ProductionHome, open_production_home
from issuer.cli_context import command_context

__all__ = ["opened_production"]


def opened_production(context: typer.Context) -> AbstractContextManager[ProductionHome]:
    """See ``open_production_home``."""
    command = command_context(context)
    return open_production_home(
        command.home, allow_development_cards=command.allow_development_cards
    )
