"""Commands of the hierarchy's life: roll-over, compromise, stop lists, destroyed keys, services and operators."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from pki.bootstrap import open_authority, read_state, write_references
from pki.certificates.certificate import load_certificate_list
from pki.certificates.crl import MAX_CRL_LIFETIME
from pki.cli_context import KeyOption, PinFileOption, command_context, load_profile
from pki.errors import PkiDataError
from pki.presentation import (
    FormatOption,
    OutputFormat,
    authority_document,
    crl_document,
    print_document,
    print_json,
    print_table,
    print_warning,
    service_document,
    signer_document,
    stop_list_document,
)
from pki.services.revocation import RevocationService
from pki.services.service_authority import (
    MAX_REQUEST_BYTES,
    ServiceAuthorityService,
    ServiceRequest,
)
from pki.signed.list_period import MAX_LIST_LIFETIME
from pki.signed.stop_list import StopList

__all__ = ["mount"]

stop_list_app = typer.Typer(
    help="The stop list: signers that are stopped at once.", rich_markup_mode=None
)
service_app = typer.Typer(
    help="Services and operators, under a root of their own.", rich_markup_mode=None
)


def mount(root: typer.Typer, *, authority: typer.Typer, signer: typer.Typer) -> None:
    """Add the commands to the command line."""
    authority.command("rollover", epilog=_ROLLOVER_EXAMPLES)(authority_rollover)
    signer.command("compromise", epilog=_COMPROMISE_EXAMPLES)(signer_compromise)
    signer.command("destroy", epilog=_DESTROY_EXAMPLES)(signer_destroy)
    root.add_typer(stop_list_app, name="stop-list")
    root.add_typer(service_app, name="service")


_ROLLOVER_EXAMPLES = """\b
Examples:
  membercard-pki --home pki authority rollover
  membercard-pki --home pki authority rollover --key brainpoolP384r1 --format json
"""

_COMPROMISE_EXAMPLES = """\b
Examples:
  membercard-pki --home pki signer compromise ds-1 --reason "token stolen" --references cards.csv
  membercard-pki --home pki signer compromise ds-1 --reason "token stolen" --since 2027-03-01T00:00:00Z
"""

_DESTROY_EXAMPLES = """\b
Examples:
  membercard-pki --home pki signer destroy ds-1
  membercard-pki --home pki signer destroy csca-1
"""


def authority_rollover(
    context: typer.Context,
    *,
    certificate_profile: Annotated[
        str, typer.Option(help="Certificate profile: a name or a TOML file.")
    ] = "csca",
    key: KeyOption = None,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make the CSCA's next key, with its own certificate and a link certificate of the key before; issue its CRL."""
    profile = load_profile(certificate_profile, key)
    home = command_context(context).home
    with open_authority(home, pin_file=pin_file) as authority:
        authority.roll_over(profile=profile)
        authority.issue_crl()
    print_document(authority_document(read_state(home)), output_format)
    print_warning(
        "terminals refuse cards of the new key's signers until they have it: trust export"
    )


def signer_compromise(
    context: typer.Context,
    *,
    signer_id: Annotated[str, typer.Argument(metavar="ID", help="The signer's name.")],
    reason: Annotated[
        str, typer.Option(help="What happened; it stays in the journal and stands in no list.")
    ],
    references: Annotated[
        Path | None,
        typer.Option(help="Where to write the references of the signer's cards, as CSV."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="First moment at which others may have had the key (RFC 3339); only ever moved back. It goes "
            "onto the stop list, and terminals may be allowed to believe what witnesses saw before.",
        ),
    ] = None,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Stop a signer at once: stop list now, CRL within 48 hours (crl issue), and the list of its cards."""
    home = command_context(context).home
    with open_authority(home, pin_file=pin_file) as authority:
        record = RevocationService(authority).compromise(
            signer_id, reason=reason, since=None if since is None else _moment(since)
        )
    document = signer_document(record)
    if references is not None:
        document["references_written"] = write_references(home, signer_id, references)
    print_document(document, output_format)
    due = read_state(home).crl_due
    print_warning("terminals refuse its cards once they have the stop list: trust export")
    if due is not None:
        has_quorum = read_state(home).ceremonies.quorum is not None
        command = "ceremony crl" if has_quorum else "crl issue"
        print_warning(f"the CRL that lists it is due until {due:%Y-%m-%d %H:%M}Z: {command}")


def signer_destroy(
    context: typer.Context,
    *,
    key_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="A signer, or an authority that another key followed."),
    ],
    early: Annotated[
        bool, typer.Option("--early", help="Although a signer's key may still sign.")
    ] = False,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Destroy a key at the end of its use, with a record of it."""
    home = command_context(context).home
    with open_authority(home, pin_file=pin_file) as authority:
        RevocationService(authority).destroy_key(key_id, is_early=early)
    print_document({"id": key_id, "key": "destroyed"}, output_format)


@stop_list_app.command(
    "issue",
    epilog="""\b
Examples:
  membercard-pki --home pki stop-list issue
  membercard-pki --home pki stop-list issue --days 30 --format json
""",
)
def stop_list_issue(
    context: typer.Context,
    *,
    days: Annotated[
        int, typer.Option(min=1, max=90, help="For how long verifiers may use it.")
    ] = MAX_LIST_LIFETIME.days,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Issue the stop list anew, with the next number: before the last one ends, or terminals refuse every card."""
    with open_authority(command_context(context).home, pin_file=pin_file) as authority:
        issued = RevocationService(authority).issue_stop_list(lifetime=timedelta(days=days))
    print_document(stop_list_document(StopList.from_bytes(issued)), output_format)


@service_app.command(
    "create-root",
    epilog="""\b
Examples:
  membercard-pki --home pki service create-root
""",
)
def service_create_root(
    context: typer.Context,
    *,
    key: KeyOption = None,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make the root of services and operators, and its first CRL; no card is ever signed below it."""
    home = command_context(context).home
    with open_authority(home, pin_file=pin_file) as authority:
        services = ServiceAuthorityService(authority)
        services.create_root(profile=load_profile("service-authority", key))
        services.issue_crl()
    print_document(service_document(read_state(home), None), output_format)


@service_app.command(
    "issue",
    epilog="""\b
Examples:
  membercard-pki --home pki service issue --id api --name "Card API" --host pki.example --request api.csr --out api.cer
  membercard-pki --home pki service issue --operator --id lan --name "Nguyen Thi Lan" --request lan.csr --out lan.cer
  membercard-pki --home pki service issue --station --id station-1 --name "Station 1" --request station-1.csr --out station-1.cer
  membercard-pki --home pki service issue --instance-signer --id xa-mau-sign --name xa-mau --request signer.csr --out signer.cer
""",
)
def service_issue(
    context: typer.Context,
    *,
    service_id: Annotated[
        str, typer.Option("--id", help="Its name, given once: letters a-z, digits, -.")
    ],
    name: Annotated[str, typer.Option(help="The common name, without TEST.")],
    request: Annotated[
        Path, typer.Option(help="The certification request (PKCS#10, PEM or DER) with its key.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write the certificate (DER).")],
    host: Annotated[
        list[str] | None,
        typer.Option(help="A DNS name of the service; may be given several times."),
    ] = None,
    operator: Annotated[
        bool, typer.Option("--operator", help="For a person, who has no host name.")
    ] = False,
    station: Annotated[
        bool,
        typer.Option("--station", help="For a personalisation station, to which keys are sealed."),
    ] = False,
    instance: Annotated[
        bool, typer.Option("--instance", help="For an office's instance: bundles are sealed to it.")
    ] = False,
    instance_signer: Annotated[
        bool, typer.Option("--instance-signer", help="For an office's instance: it signs bundles.")
    ] = False,
    key: KeyOption = None,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Certify the key of a service (TLS server and client), an operator (TLS client), a station or an instance."""
    chosen = [
        name
        for name, is_chosen in (
            ("operator", operator),
            ("station", station),
            ("instance", instance),
            ("instance-signer", instance_signer),
        )
        if is_chosen
    ]
    if len(chosen) > 1:
        raise typer.BadParameter(f"not together with --{chosen[0]}", param_hint=f"--{chosen[1]}")
    profile = load_profile(chosen[0] if chosen else "service", key)
    wanted = ServiceRequest(
        service_id=service_id,
        common_name=name,
        host_names=tuple(host or ()),
        certification_request=_read_request(request),
    )
    home = command_context(context).home
    with open_authority(home, pin_file=pin_file) as authority:
        certificate = ServiceAuthorityService(authority).issue(wanted, profile=profile)
    try:
        out.write_bytes(certificate)
    except OSError as error:
        raise PkiDataError(
            f"{out} cannot be written: {error.strerror}",
            code="service.unwritable",
            hint=f"the certificate was issued: certificates/service-{service_id}.cer in the home",
        ) from error
    print_document(service_document(read_state(home), service_id), output_format)


@service_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-pki --home pki service list
  membercard-pki --home pki service list --format json
""",
)
def service_list(
    context: typer.Context, *, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List the services and operators."""
    state = read_state(command_context(context).home)
    documents = [service_document(state, service_id) for service_id in state.services]
    if output_format is OutputFormat.JSON:
        print_json(documents)
        return
    table = Table(box=None, pad_edge=False)
    names = ("id", "kind", "state", "valid_until", "name")
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for document in documents:
        table.add_row(*(Text(str(document.get(name, "-"))) for name in names))
    print_table(table)


@service_app.command(
    "revoke",
    epilog="""\b
Examples:
  membercard-pki --home pki service revoke --id lan --reason "left the office"
""",
)
def service_revoke(
    context: typer.Context,
    *,
    service_id: Annotated[str, typer.Option("--id", help="The service's or operator's name.")],
    reason: Annotated[
        str, typer.Option(help="Why; it stays in the journal and never stands in a CRL.")
    ],
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Revoke a service's or an operator's certificate, and issue the CRL of their root."""
    home = command_context(context).home
    with open_authority(home, pin_file=pin_file) as authority:
        services = ServiceAuthorityService(authority)
        services.revoke(service_id, reason=reason)
        services.issue_crl()
    print_document(service_document(read_state(home), service_id), output_format)


@service_app.command(
    "crl",
    epilog="""\b
Examples:
  membercard-pki --home pki service crl
""",
)
def service_crl(
    context: typer.Context,
    *,
    days: Annotated[
        int, typer.Option(min=1, max=90, help="For how long it may be used.")
    ] = MAX_CRL_LIFETIME.days,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Issue the CRL of the root of services and operators, with its next number."""
    with open_authority(command_context(context).home, pin_file=pin_file) as authority:
        crl = ServiceAuthorityService(authority).issue_crl(lifetime=timedelta(days=days))
    print_document(crl_document(load_certificate_list(crl)), output_format)


def _read_request(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_REQUEST_BYTES + 1)
    except OSError as error:
        raise PkiDataError(
            f"certification request {path} cannot be read: {error.strerror}",
            code="service.request-malformed",
        ) from error


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            "expected a time as 2027-03-01T00:00:00Z", param_hint="--since"
        ) from error
    if moment.tzinfo is None:
        raise typer.BadParameter(
            "the time has no zone; a Z at its end is UTC", param_hint="--since"
        )
    return moment.astimezone(UTC)
