"""Commands for trust bundles: ``membercard-pki trust-bundle issue``; the verifier builds what is signed here."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from pki.bootstrap import open_authority
from pki.bounded_files import read_bounded
from pki.cli_context import PinFileOption, command_context
from pki.presentation import FormatOption, OutputFormat, print_document
from pki.services.trust_bundles import DEFAULT_BUNDLE_LIFETIME, TrustBundleService
from pki.signed.list_period import MAX_LIST_LIFETIME
from pki.signed.trust_bundle import (
    MAX_TRUST_BUNDLE_BYTES,
    read_bundle_draft,
)

__all__ = ["trust_bundle_app"]

trust_bundle_app = typer.Typer(
    help="Trust bundles: what terminals trust, in one signed file.", rich_markup_mode=None
)


@trust_bundle_app.callback()
def trust_bundle_group() -> None:
    """Trust bundles: what terminals trust, in one signed file."""


@trust_bundle_app.command(
    "issue",
    epilog="""\b
Examples:
  membercard-pki --home pki trust-bundle issue terminals.draft
  membercard-pki --home pki trust-bundle issue terminals.draft --days 60 --format json
""",
)
def trust_bundle_issue(
    context: typer.Context,
    draft: Annotated[
        Path, typer.Argument(metavar="DRAFT", help="What `membercard-verifier bundle build` wrote.")
    ],
    *,
    days: Annotated[
        int,
        typer.Option(
            min=1, max=MAX_LIST_LIFETIME.days, help="When the next one comes at the latest."
        ),
    ] = DEFAULT_BUNDLE_LIFETIME.days,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Sign the next trust bundle, and publish it with its delta in bundle/ of the home."""
    files = read_bundle_draft(read_bounded(draft, MAX_TRUST_BUNDLE_BYTES))
    home = command_context(context).home
    with open_authority(home, pin_file=pin_file) as authority:
        issued = TrustBundleService(authority, home).issue(files, lifetime=timedelta(days=days))
    bundle, delta = issued.bundle, issued.delta
    print_document(
        {
            "number": bundle.number,
            "this_update": f"{bundle.this_update:%Y-%m-%dT%H:%M:%SZ}",
            "next_update": f"{bundle.next_update:%Y-%m-%dT%H:%M:%SZ}",
            "sha256": bundle.fingerprint,
            "files": len(bundle.files),
            "bytes": len(bundle.der),
            "delta_bytes": None if delta is None else len(delta.to_bytes()),
        },
        output_format,
    )
