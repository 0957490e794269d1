"""Commands for bundles that come over a network: ``membercard-verifier bundle publish|fetch``."""

from pathlib import Path
from typing import Annotated

import typer

from verifier.cli_bundle import (
    ApprovalOption,
    BundleArgument,
    TrustOption,
    bundle_app,
    print_bundle_document,
    read_approvals,
    report_document,
)
from verifier.output import FormatOption, OutputFormat
from verifier.trust.publishing import publish_bundle

__all__ = ["bundle_app"]

_UrlArgument = Annotated[
    str,
    typer.Argument(
        metavar="URL",
        help="Where bundles are published, as https://centre.example/v1/bundles.",
    ),
]


@bundle_app.command(
    "publish",
    epilog="""\b
Examples:
  membercard-verifier bundle publish csca-1.bundle --to public""",
)
def bundle_publish(
    file: BundleArgument,
    *,
    to: Annotated[
        Path, typer.Option(help="Directory that `serve --files`, or any web server, serves.")
    ],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Put a signed bundle where terminals fetch it, with deltas from those before, and name it in the index."""
    index = publish_bundle(file, to)
    print_bundle_document(
        {
            "number": index.number,
            "bundle": index.bundle.name,
            "bytes": index.bundle.size,
            "deltas": [f"{item.name} ({item.size} bytes)" for item in index.deltas.values()],
        },
        output_format,
    )


@bundle_app.command(
    "fetch",
    epilog="""\b
Examples:
  membercard-verifier bundle fetch https://centre.example/v1/bundles --trust trust
  membercard-verifier bundle fetch https://centre.example/v1/bundles --trust trust --approval lan.json --approval binh.json

\b
A download that broke off goes on where it was. Nothing is installed that `bundle install` would refuse.""",
)
def bundle_fetch(
    url: _UrlArgument,
    *,
    trust: TrustOption,
    approval: ApprovalOption = None,
    seconds: Annotated[
        float, typer.Option(min=1, max=86400, help="How long one file may take.")
    ] = 600,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Fetch the newest bundle, as a delta where there is one, and install it."""
    from verifier.network.bounded_http import (  # noqa: PLC0415 - loads TLS: only where there is a network
        HttpClient,
        ServerAddress,
    )
    from verifier.network.bundle_fetching import fetch_bundle  # noqa: PLC0415 - the same

    # Bundles are signed: any connection will do.
    address = ServerAddress.from_text(url, needs_tls=False)
    client = HttpClient(address, total_seconds=seconds)
    fetched = fetch_bundle(client, trust, read_approvals(approval))
    document: dict[str, object] = {
        "number": fetched.number,
        "fetched": "nothing newer"
        if fetched.report is None
        else ("delta" if fetched.was_delta else "whole bundle"),
        "loaded": fetched.loaded,
    }
    if fetched.report is not None:
        document = {**report_document(fetched.report), **document}
    print_bundle_document(document, output_format)
