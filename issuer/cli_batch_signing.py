"""The command ``batches sign``."""

import functools
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap_batches import batches_of
from issuer.bootstrap_card_signing import SigningHome
from issuer.bootstrap_production import ProductionHome
from issuer.cli_batch_output import BatchArgument
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    standard_error,
    standard_output,
)
from issuer.cli_production_home import opened_production
from issuer.cli_rights import needs
from issuer.domain.batch import parse_batch_id
from issuer.domain.rights import Right
from issuer.services.sign_batches import BatchSigning, OpenSigner, SigningOfCards
from pki.signed.authorisation import BatchAuthorisation

__all__ = ["sign_command"]

_REFUSED = 1


@needs(Right.HAVE_BATCHES_SIGNED, by_use_case=True)
def sign_command(
    context: typer.Context,
    batch: BatchArgument,
    *,
    signer_socket: Annotated[
        Path | None,
        typer.Option(
            help="The socket of the PKI's signer process; by default that of the settings."
        ),
    ] = None,
    pki: Annotated[
        Path | None,
        typer.Option(help="The home directory of a test PKI, to be signed with in this process."),
    ] = None,
    pki_pin_file: Annotated[
        Path | None,
        typer.Option(help="The file of the PKI's PIN; the PKI remembers it where not given."),
    ] = None,
    signer: Annotated[
        str | None, typer.Option(help="Which document signer; the only one where not given.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Build the files of every card of a frozen batch and have them signed, each card once.

    The signer process signs under the authorisation by two that was written down for the batch's decision. Only a
    test PKI's home can be opened here instead. The exit status is 1 where a card was refused; run it again once
    that is mended, or condemn the card.
    """
    actor = command_context(context).actor
    batch_id = parse_batch_id(batch)
    signed = 0
    refused: list[dict[str, str | None]] = []
    with opened_production(context) as home:
        if signer_socket is None and pki is None:
            signer_socket = home.opened.settings.card_signer_socket
        open_signer = _open_signer(
            home, socket=signer_socket, pki=pki, pin_file=pki_pin_file, signer_id=signer
        )
        work = BatchSigning(
            desk=batches_of(home.opened).desk,
            cards=home.cards,
            open_signer=open_signer,
            is_authorised=pki is None,
        )
        for outcome in work.sign(batch_id, actor=actor):
            if outcome.code is None:
                signed += 1
            else:
                refused.append(
                    {
                        "reference": outcome.reference.hex(),
                        "code": outcome.code,
                        "message": outcome.message,
                    }
                )
    if output_format is OutputFormat.JSON:
        print_json({"signed": signed, "refused": refused})
    else:
        for each in refused:
            standard_error().print(
                f"card {each['reference']} refused: {each['message']} [{each['code']}]",
                markup=False,
                soft_wrap=True,
            )
        standard_output().print(f"{signed} cards signed, {len(refused)} refused.")
    if refused:
        raise typer.Exit(_REFUSED)


def _open_signer(
    home: ProductionHome,
    *,
    socket: Path | None,
    pki: Path | None,
    pin_file: Path | None,
    signer_id: str | None,
) -> OpenSigner:
    signing = SigningHome(production=home)
    if pki is not None and socket is None:
        standard_error().print(
            "warning: signing in this process, without an authorisation by two: only test authorities allow it",
            markup=False,
            soft_wrap=True,
        )
        return lambda _: signing.signing(pki=pki, pin_file=pin_file, signer_id=signer_id)
    if socket is not None and pki is None and pin_file is None and signer_id is None:
        signing.require_signer_process()
        return functools.partial(_through, signing, socket)
    raise typer.BadParameter("give --signer-socket, or --pki (with --signer, --pki-pin-file)")


def _through(
    signing: SigningHome, socket: Path, authorisation: BatchAuthorisation | None
) -> AbstractContextManager[SigningOfCards]:
    if authorisation is None:
        raise ValueError("the signer process signs under an authorisation")
    return signing.signing_through(socket, authorisation)
