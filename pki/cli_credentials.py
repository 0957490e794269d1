"""Commands of operators' WebAuthn credentials: ``operator credential``."""

from pathlib import Path
from typing import Annotated

import typer

from pki.bootstrap import read_state
from pki.certificates.certificate import load_certificate
from pki.cli_context import PinFileOption, command_context
from pki.errors import PkiRefusedError
from pki.presentation import FormatOption, OutputFormat, print_document, print_json
from pki.services.authorisation_state import OperatorRecord
from pki.services.credential_state import CredentialRecord
from pki.services.operator_page import OperatorPage

__all__ = ["credential_app", "operator_document"]

credential_app = typer.Typer(
    help="WebAuthn credentials with which operators sign on their page.", rich_markup_mode=None
)

NameArgument = Annotated[str, typer.Argument(help="The operator's name.")]


@credential_app.command(
    "configure",
    epilog="""\b
Examples:
  membercard-pki --home pki operator credential configure --origin https://pki.example
  membercard-pki --home pki operator credential configure --origin https://pki.example:8443 --rp-id pki.example
""",
)
def credential_configure(
    context: typer.Context,
    *,
    origin: Annotated[
        str, typer.Option(help="Where the page is, as browsers write it: https://HOST[:PORT].")
    ],
    rp_id: Annotated[
        str | None, typer.Option(help="The relying party's identifier; the host if absent.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Say where the page for operators is; credentials that are enrolled keep the place of their enrolment."""
    from pki.bootstrap_credentials import configure_page  # noqa: PLC0415 - it loads the library

    page = configure_page(command_context(context).home, origin=origin, rp_id=rp_id)
    print_document({"origin": page.origin, "rp_id": page.rp_id}, output_format)


@credential_app.command(
    "challenge",
    epilog="""\b
Examples:
  membercard-pki --home pki operator credential challenge lan --out lan-challenge.json
  membercard-pki --home pki operator credential challenge lan --origin https://console.example --out lan-challenge.json
""",
)
def credential_challenge(
    context: typer.Context,
    name: NameArgument,
    *,
    out: Annotated[Path, typer.Option(help="The file for the page; it must not be there yet.")],
    origin: Annotated[
        str | None,
        typer.Option(
            help="Where the credential will sign, if that is not the page for operators: the issuer's console."
        ),
    ] = None,
    rp_id: Annotated[
        str | None, typer.Option(help="With --origin: the relying party; the host if absent.")
    ] = None,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make a challenge for a new credential: it is recorded, and holds once, for an hour."""
    from pki.bootstrap_credentials import make_challenge  # noqa: PLC0415 - it loads the library

    if origin is None and rp_id is not None:
        raise typer.BadParameter("give it with --origin", param_hint="--rp-id")
    elsewhere = None if origin is None else OperatorPage.checked(origin=origin, rp_id=rp_id)
    made = make_challenge(
        command_context(context).home, name, out=out, pin_file=pin_file, elsewhere=elsewhere
    )
    print_document(
        {
            "operator": made.operator,
            "origin": made.origin,
            "rp_id": made.rp_id,
            "expires": f"{made.expires:%Y-%m-%dT%H:%M:%SZ}",
        },
        output_format,
    )


@credential_app.command(
    "enrol",
    epilog="""\b
Examples:
  membercard-pki --home pki operator credential enrol lan lan-registration.json
""",
)
def credential_enrol(
    context: typer.Context,
    name: NameArgument,
    registration: Annotated[Path, typer.Argument(help="What the page saved.")],
    *,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Enrol a credential with the certificate of an operator who has one; its make is not attested."""
    from pki.bootstrap_credentials import enrol_credential  # noqa: PLC0415 - it loads the library

    record = enrol_credential(
        command_context(context).home, name, registration=registration, pin_file=pin_file
    )
    print_document(_document(record), output_format)


@credential_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-pki --home pki operator credential list
  membercard-pki --home pki operator credential list --format json
""",
)
def credential_list(
    context: typer.Context, *, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List all credentials."""
    state = read_state(command_context(context).home).authorisations.credentials
    documents = [_document(each) for each in state.credentials.values()]
    if output_format is OutputFormat.JSON:
        print_json(documents)
        return
    for document in documents:
        print_document(document, output_format)


@credential_app.command(
    "revoke",
    epilog="""\b
Examples:
  membercard-pki --home pki operator credential revoke lan --id 5f1c9a0e --reason "lost on the train"
""",
)
def credential_revoke(
    context: typer.Context,
    name: NameArgument,
    *,
    credential: Annotated[
        str, typer.Option("--id", help="The credential's id, or how it alone begins.")
    ],
    reason: Annotated[str, typer.Option(help="Why; it stays in the journal.")],
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Revoke a credential that was lost; the operator's certificate and other credentials stay."""
    from pki.bootstrap_credentials import revoke_credential  # noqa: PLC0415 - it loads the library

    home = command_context(context).home
    known = read_state(home).authorisations.credentials.credentials
    found = [
        each
        for each, record in known.items()
        if record.operator == name and each.hex().startswith(credential)
    ]
    if len(found) != 1:
        raise PkiRefusedError(
            f"{len(found)} credentials of operator {name[:80]!r} begin with {credential[:40]!r}, expected one",
            code="webauthn.credential-unknown",
            hint="membercard-pki operator credential list",
        )
    record = revoke_credential(home, name, credential_id=found[0], reason=reason, pin_file=pin_file)
    print_document(_document(record), output_format)


def operator_document(record: OperatorRecord) -> dict[str, str | int | bool | None]:
    """What is shown of an operator."""
    state = "unfinished" if record.certificate is None else "usable"
    document: dict[str, str | int | bool | None] = {
        "name": record.name,
        "state": state if record.revoked_at is None else "revoked",
        "serial_number": f"{record.serial_number:x}",
    }
    if record.certificate is not None:
        certificate = load_certificate(record.certificate)
        document["valid_until"] = f"{certificate.not_after:%Y-%m-%dT%H:%M:%SZ}"
    return document


def _document(record: CredentialRecord) -> dict[str, str | int | bool | None]:
    return {
        "id": record.credential_id.hex(),
        "operator": record.operator,
        "state": "usable" if record.revoked_at is None else "revoked",
        "algorithm": record.algorithm.name,
        "attestation": "none: nothing is known of the authenticator's make",
        "origin": record.origin,
        "rp_id": record.rp_id,
        "counter": record.counter,
        "enrolled_at": f"{record.enrolled_at:%Y-%m-%dT%H:%M:%SZ}",
    }
