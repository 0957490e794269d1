"""The station of a home directory as commands open it: worked at by whoever runs the command."""

from contextlib import AbstractContextManager

import typer

from issuer.bootstrap_station import OpenedStation, open_station
from issuer.cli_context import command_context
from issuer.domain.batch import BatchId

__all__ = ["opened_station"]


def opened_station(
    context: typer.Context, *, batch: BatchId | None = None
) -> AbstractContextManager[OpenedStation]:
    """See ``open_station``."""
    command = command_context(context)
    return open_station(
        command.home,
        account=command.actor.account,
        batch=batch,
        allow_development_cards=command.allow_development_cards,
    )
