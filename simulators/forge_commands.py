"""``membercard-simulator image forge`` and ``authority export``: cards to be refused, and the trust they are judged by."""

import json
import re
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from card_layout.profile import load_profile
from simulators.authority import TestAuthority
from simulators.errors import SimulatorError
from simulators.forge import ForgeKind, forge
from simulators.issued_image import DEFAULT_PROFILE
from simulators.trust_directory import add_to_trust_directory

__all__ = ["authority_app", "export_authority", "forge_image", "register"]

_AUTHORITY_NAME = "TEST CSCA of the forger"

authority_app = typer.Typer(help="The forger's test authority.", no_args_is_help=True)


class OutputFormat(StrEnum):
    """For people or for programs."""

    TEXT = "text"
    JSON = "json"


def register(image_app: typer.Typer, root: typer.Typer) -> None:
    """Mount ``image forge`` and ``authority``."""
    image_app.command("forge", epilog=_FORGE_EXAMPLES)(forge_image)
    root.add_typer(authority_app, name="authority")


_FORGE_EXAMPLES = """
\b
Examples:
  membercard-simulator image forge clone --authority demo/forger --out clone.json
  membercard-simulator image forge revoked-signer --authority demo/forger --out stolen.json --can 123456 --seed 7
"""


def _can(value: str | None) -> str | None:
    if value is not None and not re.fullmatch("[0-9]{6}", value, re.ASCII):
        raise typer.BadParameter("expected six digits")
    return value


def forge_image(
    kind: Annotated[ForgeKind, typer.Argument(help="What was done to the card.")],
    *,
    authority: Annotated[
        Path, typer.Option(help="Folder of the test authority; made where it is absent.")
    ],
    out: Annotated[Path, typer.Option(help="The card image to write.")],
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same person and card numbers.")
    ] = None,
    can: Annotated[
        str | None,
        typer.Option(callback=_can, help="The card's CAN: six digits; drawn where absent."),
    ] = None,
    profile: Annotated[str, typer.Option(help="Card profile.")] = DEFAULT_PROFILE,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing image.")
    ] = False,
    output_format: Annotated[
        OutputFormat, typer.Option("--format", help="What to print.")
    ] = OutputFormat.TEXT,
) -> None:
    """Make a card that every verifier must refuse.

    The card is issued under a test authority of its own and then tampered with as KIND says. Give the authority
    to a terminal with 'authority export'; a card of kind unknown-authority is signed by a further one, kept nowhere.
    """
    if out.exists() and not overwrite:
        raise SimulatorError(
            f"{out} exists already",
            code="image.exists",
            hint="name another file, or give --overwrite",
        )
    chosen = load_profile(profile)
    issuing = TestAuthority.load_or_create(authority, now=datetime.now(UTC), name=_AUTHORITY_NAME)
    image = forge(
        kind,
        authority=issuing,
        random=Random(secrets.randbits(64) if seed is None else seed),
        can=can,
        profile=chosen,
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SimulatorError(
            f"folder {out.parent} cannot be made: {error.strerror}", code="image.unwritable"
        ) from error
    image.save(out)
    if output_format is OutputFormat.JSON:
        found = {
            "image": str(out),
            "kind": str(kind),
            "can": image.secrets.can,
            "expected": kind.expected_code,
        }
        typer.echo(json.dumps(found))
    else:
        typer.echo(f"{out}: can {image.secrets.can}, to be refused with {kind.expected_code}")


_EXPORT_EXAMPLES = """
\b
Examples:
  membercard-simulator authority export demo/forger --trust demo/trust
"""


@authority_app.command("export", epilog=_EXPORT_EXAMPLES)
def export_authority(
    directory: Annotated[Path, typer.Argument(help="Folder of the test authority.")],
    trust: Annotated[Path, typer.Option(help="An existing trust directory.")],
    output_format: Annotated[
        OutputFormat, typer.Option("--format", help="What to print.")
    ] = OutputFormat.TEXT,
) -> None:
    """Add the forger's CSCA certificate and a current CRL to a terminal's trust directory, and to its policy."""
    authority = TestAuthority.load(directory)
    add_to_trust_directory(trust, authority, now=datetime.now(UTC), bind=True)
    if output_format is OutputFormat.JSON:
        typer.echo(json.dumps({"authority": str(directory), "trust": str(trust)}))
    else:
        typer.echo(f"added the certificate and CRL of {directory} to {trust}")
