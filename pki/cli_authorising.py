"""Commands of the signer process and of those who authorise it: ``signer serve``, ``operator``, ``authorisation``."""

import os
import re
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from pki.bootstrap import read_state
from pki.bootstrap_operators import (
    CredentialStep,
    create_authorisation,
    enrol_operator,
    enrol_operator_by_request,
    read_authorisation,
    revoke_operator,
    sign_authorisation,
)
from pki.certificates.operator_roles import OperatorRole
from pki.cli_context import PinFileOption, command_context
from pki.cli_credentials import credential_app, operator_document
from pki.durable import create_file
from pki.errors import PkiError, PkiRefusedError, RecordError
from pki.keys.process_protection import protect_memory
from pki.presentation import FormatOption, OutputFormat, print_document, print_json
from pki.services.authorisation_state import AuthorisationState
from pki.services.authorising import REQUIRED_OPERATORS, operators_behind
from pki.signed.authorisation import MAX_CARDS, BatchAuthorisation
from pki.signer_service.server import SignerServer
from pki.signer_service.serving import serve_signer

__all__ = ["authorisation_app", "operator_app", "signer_serve"]

operator_app = typer.Typer(
    help="Operators, two of whom authorise every batch.", rich_markup_mode=None
)
authorisation_app = typer.Typer(
    help="Batch authorisations: how many cards, until when, by which signer.", rich_markup_mode=None
)

operator_app.add_typer(credential_app, name="credential")

_DURATION: Final = re.compile(r"([1-9][0-9]{0,3})([hd])")

OperatorPinOption = Annotated[
    Path, typer.Option("--operator-pin-file", help="File with the operator's own PIN.")
]
KeysOption = Annotated[
    Path | None,
    typer.Option(
        "--keys", help="Directory of the operator's key; operators/NAME in the home if absent."
    ),
]


def signer_serve(
    context: typer.Context,
    *,
    socket_path: Annotated[
        Path,
        typer.Option("--socket", help="The Unix socket; its directory has mode 0700, or is made."),
    ],
    allow_uid: Annotated[
        list[int] | None,
        typer.Option(help="A user whose processes are served; only our own user if absent."),
    ] = None,
    pin_file: PinFileOption = None,
) -> None:
    """Own the keys, and sign for clients what two operators authorised, until interrupted."""
    home = command_context(context).home
    # Keys and PIN must not end up in a file because something crashed.
    protect_memory(for_good=True)

    def ready(server: SignerServer, signers: tuple[str, ...]) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, server.stop)
        sys.stdout.write(f"ready: {', '.join(signers)} at {socket_path}\n")
        sys.stdout.flush()

    serve_signer(
        home,
        socket_path,
        pin_file=pin_file,
        allowed_uids=frozenset(allow_uid) if allow_uid else frozenset({os.geteuid()}),
        on_ready=ready,
    )


@operator_app.command(
    "enrol",
    epilog="""\b
Examples:
  membercard-pki --home pki operator enrol an --operator-pin-file secrets/an.pin
  membercard-pki --home pki operator enrol binh --operator-pin-file /media/binh/pin --keys /media/binh/key
  membercard-pki --home pki operator enrol lan --request lan.csr --role officer
  membercard-pki --home pki operator enrol lan --request lan.csr --role officer --credential lan-registration.json
""",
)
def operator_enrol(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A plain word, given once: a-z, 0-9, -.")],
    *,
    operator_pin_file: Annotated[
        Path | None,
        typer.Option(help="File with the operator's own PIN; made with a random one if absent."),
    ] = None,
    request: Annotated[
        Path | None,
        typer.Option(help="A certification request (PKCS#10) with a key that the operator made."),
    ] = None,
    role: Annotated[
        list[OperatorRole] | None,
        typer.Option(help="What the operator may do through the API; may be given several times."),
    ] = None,
    credential: Annotated[
        Path | None,
        typer.Option(
            help="What the page saved for the challenge of operator credential challenge NAME; "
            "the credential is enrolled with the certificate."
        ),
    ] = None,
    keys: KeysOption = None,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make an operator's key, which only the operator's PIN opens, or take the operator's own, and certify it."""
    home, roles = command_context(context).home, frozenset(role or ())
    step = None if credential is None else _credential_step(credential)
    if (operator_pin_file is None) == (request is None):
        raise typer.BadParameter("give one of them", param_hint="--operator-pin-file or --request")
    if request is not None:
        record = enrol_operator_by_request(
            home, name, request=request, roles=roles, pin_file=pin_file, credential=step
        )
    elif operator_pin_file is not None:
        record = enrol_operator(
            home,
            name,
            keys=keys,
            operator_pin_file=operator_pin_file,
            pin_file=pin_file,
            roles=roles,
            credential=step,
        )
    print_document(operator_document(record), output_format)


@operator_app.command(
    "revoke",
    epilog="""\b
Examples:
  membercard-pki --home pki operator revoke an --reason "has left"
""",
)
def operator_revoke(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The operator's name.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it stays in the journal.")],
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Revoke an operator: nothing more is signed under authorisations that carry this signature."""
    record = revoke_operator(command_context(context).home, name, reason=reason, pin_file=pin_file)
    print_document(operator_document(record), output_format)


@operator_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-pki --home pki operator list --format json
""",
)
def operator_list(
    context: typer.Context, *, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List the operators."""
    state = read_state(command_context(context).home)
    documents = [operator_document(each) for each in state.authorisations.operators.values()]
    if output_format is OutputFormat.JSON:
        print_json(documents)
        return
    for document in documents:
        print_document(document, output_format)


@operator_app.command(
    "certificate",
    epilog="""\b
Examples:
  membercard-pki --home pki operator certificate lan --out lan.cer
""",
)
def operator_certificate(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The operator's name.")],
    *,
    out: Annotated[Path, typer.Option(help="The file; it must not be there yet.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write an operator's certificate to a file (DER): the issuer's console names it in what is signed there."""
    record = read_state(command_context(context).home).authorisations.operators.get(name)
    if record is None or record.certificate is None:
        raise PkiRefusedError(
            f"there is no operator {name[:80]!r} with a certificate", code="operator.unknown"
        )
    try:
        create_file(out, record.certificate, mode=0o644)
    except OSError as error:
        raise RecordError(
            f"certificate {out} cannot be written: {error.strerror}", code="operator.unwritable"
        ) from error
    print_document(operator_document(record), output_format)


@authorisation_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-pki --home pki authorisation create --signer ds-1 --cards 500 --until 3d --out batch.json
  membercard-pki --home pki authorisation create --signer ds-1 --cards 500 --chips 500 --until 3d --out batch.json
  membercard-pki --home pki authorisation create --signer ds-1 --cards 18 --until 2026-12-01T17:00:00Z --out batch.json
""",
)
def authorisation_create(
    context: typer.Context,
    *,
    cards: Annotated[int, typer.Option(min=1, max=MAX_CARDS, help="How many signatures.")],
    until: Annotated[
        str, typer.Option(help="Until when: hours or days from now (8h, 3d), or a time in UTC.")
    ],
    out: Annotated[Path, typer.Option(help="The file; it must not be there yet.")],
    signer: Annotated[
        str | None, typer.Option(help="Which document signer; the newest usable one if absent.")
    ] = None,
    chips: Annotated[
        int,
        typer.Option(min=0, max=MAX_CARDS, help="Of how many chips keys are sealed to stations."),
    ] = 0,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write down what is to be authorised; two operators sign it then."""
    state = read_state(command_context(context).home)
    usable = [
        each.signer_id
        for each in state.signers.values()
        if each.certificate is not None and each.revoked_at is None
    ]
    chosen = signer if signer is not None else (usable[-1] if usable else "")
    if chosen not in usable:
        raise PkiRefusedError(
            f"there is no usable signer {chosen[:80]!r}, only {usable}", code="signer.unknown"
        )
    authorisation = create_authorisation(
        out, signer_id=chosen, cards=cards, until=_until(until), chips=chips
    )
    _show(authorisation, state.authorisations, output_format)


@authorisation_app.command(
    "sign",
    epilog="""\b
Examples:
  membercard-pki --home pki authorisation sign batch.json --operator an --operator-pin-file secrets/an.pin
""",
)
def authorisation_sign(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The authorisation; the signature is added to it.")],
    *,
    operator: Annotated[str, typer.Option(help="Who signs.")],
    operator_pin_file: OperatorPinOption,
    keys: KeysOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Sign an authorisation with an operator's key; read it first with authorisation show."""
    home = command_context(context).home
    state = read_state(home)
    record = state.authorisations.operators.get(operator)
    if record is None:
        raise PkiRefusedError(f"there is no operator {operator[:80]!r}", code="operator.unknown")
    authorisation = sign_authorisation(
        file,
        record,
        keys=keys if keys is not None else home.operators / operator,
        operator_pin_file=operator_pin_file,
    )
    _show(authorisation, state.authorisations, output_format)


@authorisation_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-pki --home pki authorisation show batch.json
  membercard-pki --home pki authorisation show batch.json --format json
""",
)
def authorisation_show(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The authorisation.")],
    *,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show the terms, whose signatures hold, and how many cards are signed against it."""
    state = read_state(command_context(context).home)
    _show(read_authorisation(file), state.authorisations, output_format)


def _show(
    authorisation: BatchAuthorisation, state: AuthorisationState, output_format: OutputFormat
) -> None:
    now = datetime.now(UTC)
    problem: str | None = None
    names: tuple[str, ...] = ()
    try:
        names = operators_behind(authorisation, state, now=now)
    except PkiError as error:
        problem = error.code
    accepted = state.batches.get(authorisation.batch)
    if problem is None and now > authorisation.until:
        problem = "authorisation.expired"
    if problem is None and len(names) < REQUIRED_OPERATORS:
        problem = "authorisation.signatures-missing"
    print_document(
        {
            "batch": authorisation.batch.hex(),
            "digest": authorisation.digest.hex(),
            "signer": authorisation.signer_id,
            "cards": authorisation.cards,
            "chips": authorisation.chips,
            "until": f"{authorisation.until:%Y-%m-%dT%H:%M:%SZ}",
            "operators": ", ".join(names),
            "signed": 0 if accepted is None else accepted.signed,
            "problem": problem,
        },
        output_format,
    )


def _credential_step(registration: Path) -> CredentialStep:
    from pki.bootstrap_credentials import (  # noqa: PLC0415 - it loads the library
        operator_credentials,
        read_registration,
    )

    return CredentialStep(
        registration=read_registration(registration), credentials=operator_credentials
    )


def _until(text: str) -> datetime | timedelta:
    duration = _DURATION.fullmatch(text)
    if duration is not None:
        hours = int(duration[1]) * (24 if duration[2] == "d" else 1)
        return timedelta(hours=hours)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            "expected 8h, 3d or 2026-12-01T17:00:00Z", param_hint="--until"
        ) from error
    if moment.tzinfo is None:
        raise typer.BadParameter("the time has no zone: end it with Z", param_hint="--until")
    return moment
