"""Commands of instances: get our own certificates, and say whose bundles are believed."""

from pathlib import Path
from typing import Annotated, Final

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_bundles import (
    exchange_of,
    install_certificates,
    looking_at_instances,
    read_certificates,
    request_certificates,
)
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.domain.instances import Instance, Side, parse_instance_name
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import Right
from issuer.errors import IssuerRefusedError
from issuer.services.enrol_instances import known_instance

__all__ = ["instances_app"]

_LISTED: Final = 100_000

instances_app = typer.Typer(
    help="Other offices' registers, with which bundles are exchanged.", rich_markup_mode=None
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name of the instance.")]
_SignerOption = Annotated[
    Path, typer.Option("--signer-certificate", help="Its certificate that signs bundles (DER).")
]
_ReceiverOption = Annotated[
    Path, typer.Option("--certificate", help="Its certificate that bundles are sealed to (DER).")
]


@instances_app.command(
    "request",
    epilog="""\b
Examples:
  membercard-issuer --home office instances request xa-mau --organisation P-01 --out-signer signer.csr --out receiver.csr
""",
)
@needs(Right.OPERATE_SERVICE)
def request_command(
    context: typer.Context,
    name: NameArgument,
    *,
    organisation: Annotated[
        str, typer.Option(help="The organisation that this register is the one of.")
    ],
    out_signer: Annotated[Path, typer.Option(help="Where to write the signing key's request.")],
    out: Annotated[Path, typer.Option(help="Where to write the receiving key's request.")],
) -> None:
    """Name this register, make its keys, and write the requests (PKCS#10) for their certificates."""
    own = request_certificates(
        command_context(context).home,
        name=name,
        organisation=organisation,
        signer_request=out_signer,
        receiver_request=out,
    )
    standard_output().print(
        f"Have them certified as {own.name}: membercard-pki service issue --instance-signer, --instance.",
        markup=False,
    )


@instances_app.command(
    "install",
    epilog="""\b
Examples:
  membercard-issuer --home office instances install --signer-certificate signer.cer --certificate receiver.cer --root root.cer
""",
)
@needs(Right.OPERATE_SERVICE)
def install_command(
    context: typer.Context,
    *,
    signer_certificate: _SignerOption,
    certificate: _ReceiverOption,
    root: Annotated[Path, typer.Option(help="The certificate of the service authority (DER).")],
) -> None:
    """Keep our own certificates, and the root by which all others are judged."""
    install_certificates(
        command_context(context).home, signer=signer_certificate, receiver=certificate, root=root
    )
    standard_output().print("The certificates are installed.")


@instances_app.command(
    "propose",
    epilog="""\b
Examples:
  membercard-issuer --home office instances propose xa-mau --side below --organisation P-01 --signer-certificate s.cer --certificate r.cer
""",
)
@needs(Right.OPERATE_SERVICE, at="organisation")
def propose_command(
    context: typer.Context,
    name: NameArgument,
    *,
    side: Annotated[Side, typer.Option(help="Whether it stands above or below us.")],
    organisation: Annotated[str, typer.Option(help="The organisation that it is the register of.")],
    signer_certificate: _SignerOption,
    certificate: _ReceiverOption,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Propose an instance, or new certificates for one; another person confirms it."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        instance = exchange_of(opened).instances.propose(
            parse_instance_name(name),
            side=side,
            organisation=parse_organisation_code(organisation),
            certificates=read_certificates(signer_certificate, certificate),
            actor=actor,
        )
    _show(instance, output_format)


@instances_app.command(
    "confirm",
    epilog="""\b
Examples:
  membercard-issuer --home office instances confirm xa-mau --fingerprint 5F0C4C7E...
""",
)
@needs(Right.OPERATE_SERVICE, by_use_case=True)
def confirm_command(
    context: typer.Context,
    name: NameArgument,
    *,
    fingerprint: Annotated[
        str, typer.Option(help="As the other office tells it, by another way than the file came.")
    ],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Enrol an instance that another person proposed."""
    actor = command_context(context).actor
    wanted = parse_instance_name(name)
    with open_register_home(command_context(context).home) as opened:
        with opened.register.reading() as transaction:
            found = known_instance(transaction, wanted).certificates.fingerprint
        if found.lower() != fingerprint.strip().lower():
            raise IssuerRefusedError(
                f"the certificates of {wanted} have fingerprint {found}, got another one",
                code="instance.other-fingerprint",
            )
        instance = exchange_of(opened).instances.confirm(wanted, actor=actor)
    _show(instance, output_format)


@instances_app.command(
    "suspend",
    epilog="""\b
Examples:
  membercard-issuer --home office instances suspend xa-mau
""",
)
@needs(Right.OPERATE_SERVICE, by_use_case=True)
def suspend_command(
    context: typer.Context, name: NameArgument, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """Take and make no bundles with an instance any more: its stick, key or machine is in other hands."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        instance = exchange_of(opened).instances.suspend(parse_instance_name(name), actor=actor)
    _show(instance, output_format)


@instances_app.command(
    "recover",
    epilog="""\b
Examples:
  membercard-issuer --home office instances recover tinh-uy
  membercard-issuer --home office instances recover tinh-uy --sent 12
""",
)
@needs(Right.OPERATE_SERVICE, by_use_case=True)
def recover_command(
    context: typer.Context,
    name: NameArgument,
    *,
    sent: Annotated[
        int | None, typer.Option(min=1, help="The last bundle that they have of ours.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Go on after this register was restored from a backup: no bundle is numbered twice, and they tell us all again."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        instance = exchange_of(opened).instances.recover(
            parse_instance_name(name), sent=sent, actor=actor
        )
    _show(instance, output_format)


@instances_app.command(
    "give-numbers",
    epilog="""\b
Examples:
  membercard-issuer --home office instances give-numbers xa-mau P-01 --from 98.000001 --to 98.003000
""",
)
@needs(Right.ALLOT_NUMBERS, by_use_case=True)
def give_numbers_command(
    context: typer.Context,
    name: NameArgument,
    committee: Annotated[str, typer.Argument(help="The committee there that decides.")],
    *,
    first: Annotated[str, typer.Option("--from", help="The lowest number of the block.")],
    last: Annotated[str, typer.Option("--to", help="The highest number of the block.")],
) -> None:
    """Hand a block of new card numbers to an instance, which alone gives them out; the next bundle tells it."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        block = exchange_of(opened).handing.hand_numbers(
            parse_instance_name(name),
            parse_organisation_code(committee),
            first=opened.scheme.parse(first),
            last=opened.scheme.parse(last),
            actor=actor,
        )
    count = block.span.end - block.span.first
    standard_output().print(f"{count} numbers go to {name} with the next bundle.", markup=False)


@instances_app.command(
    "give-indices",
    epilog="""\b
Examples:
  membercard-issuer --home office instances give-indices xa-mau 3000
""",
)
@needs(Right.ALLOT_NUMBERS, by_use_case=True)
def give_indices_command(
    context: typer.Context,
    name: NameArgument,
    count: Annotated[int, typer.Argument(min=1, help="How many: as many cards as it will make.")],
) -> None:
    """Hand status indices, drawn at random, to an instance that makes cards; the next bundle tells it."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        given = exchange_of(opened).handing.hand_indices(
            parse_instance_name(name), count, actor=actor
        )
    standard_output().print(
        f"{count} indices of list {given.list_id.hex()} go to {name} with the next bundle.",
        markup=False,
    )


@instances_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office instances list
  membercard-issuer --home office instances list --format json
""",
)
@needs(Right.READ_ORGANISATIONS, by_use_case=True)
def list_instances_command(
    context: typer.Context, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List the instances of one's own part of the tree with their fingerprints, and how far bundles have come."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        found = looking_at_instances(opened).page(actor=actor, limit=_LISTED).instances
    if output_format is OutputFormat.JSON:
        print_json({"instances": [_as_json(each) for each in found]})
        return
    print_table(
        ("Instance", "Side", "Organisation", "State", "Sent", "Received", "Fingerprint"),
        (
            (
                each.name,
                each.side.value,
                each.organisation,
                each.state.value,
                str(each.sent),
                str(each.received),
                each.certificates.fingerprint,
            )
            for each in found
        ),
    )


def _show(instance: Instance, output_format: OutputFormat) -> None:
    if output_format is OutputFormat.JSON:
        print_json(_as_json(instance))
        return
    standard_output().print(
        f"Instance {instance.name} is {instance.state}; fingerprint {instance.certificates.fingerprint}",
        markup=False,
    )


def _as_json(instance: Instance) -> dict[str, object]:
    return {
        "name": instance.name,
        "side": instance.side.value,
        "organisation": instance.organisation,
        "state": instance.state.value,
        "sent": instance.sent,
        "received": instance.received,
        "acknowledged": instance.acknowledged,
        "proposed_by": instance.proposed_by,
        "confirmed_by": instance.confirmed_by,
        "fingerprint": instance.certificates.fingerprint,
    }
