"""Commands of batches: open, fill, freeze by two, sign, list, show."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from issuer.bootstrap import RegisterHome, open_register_home
from issuer.bootstrap_batches import BatchOffice, batches_of
from issuer.cli_batch_delivery import delivery_app
from issuer.cli_batch_output import (
    BatchArgument,
    batch_as_json,
    line_as_json,
    line_cells,
    say,
    show_view,
    view_as_json,
)
from issuer.cli_batch_signing import sign_command
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_json_list,
    print_table,
)
from issuer.cli_production_home import opened_production
from issuer.cli_rights import needs
from issuer.domain.batch import BatchState, parse_batch_id
from issuer.domain.decisions import parse_decision_id
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.requests import parse_request_id
from issuer.domain.rights import Actor, Right
from issuer.domain.stock_account import SiteCode, parse_site_code
from issuer.keystore_random import RandomPool
from issuer.services.batch_ports import BatchPosition
from issuer.services.read_batches import BatchView, NamedLine

__all__ = ["batches_app"]

_REFUSED = 1
_PAGE_ROWS = 200

batches_app = typer.Typer(
    help="Batches of cards: open, freeze by two, sign, control, pack, hand over.",
    rich_markup_mode=None,
)
freeze_app = typer.Typer(
    help="Freezing a batch: one person proposes, another one confirms the same proof.",
    rich_markup_mode=None,
)
batches_app.add_typer(freeze_app, name="freeze")
batches_app.add_typer(delivery_app)
batches_app.command(
    "sign",
    epilog="""\b
Examples:
  membercard-issuer --home office batches sign BATCH --signer-socket /run/membercard/signer.sock
  membercard-issuer --home office batches sign BATCH --pki test-pki --pki-pin-file secrets/pki.pin --signer ds-1
""",
)(sign_command)


@contextmanager
def _opened(context: typer.Context) -> Iterator[tuple[RegisterHome, BatchOffice]]:
    with open_register_home(command_context(context).home) as opened:
        yield opened, batches_of(opened)


@batches_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-issuer --home office batches create --receiver P-01 --decision 5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10 --fill
""",
)
@needs(Right.FREEZE_BATCHES, by_use_case=True)
def create_batch_command(
    context: typer.Context,
    *,
    receiver: Annotated[str, typer.Option(help="The committee that will receive the cards.")],
    decision: Annotated[str, typer.Option(help="The identifier of the confirmed decision.")],
    follow_up_of: Annotated[
        str | None, typer.Option(help="The batch whose condemned cards are made anew.")
    ] = None,
    fill: Annotated[
        bool, typer.Option("--fill", help="Put in all requests that wait, too.")
    ] = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Open a batch for one receiving committee, for members recorded there or below."""
    actor = command_context(context).actor
    with _opened(context) as (_, office):
        batch = office.filling.create(
            parse_organisation_code(receiver),
            parse_decision_id(decision),
            actor=actor,
            follow_up_of=None if follow_up_of is None else parse_batch_id(follow_up_of),
        )
        held = office.filling.fill(batch.batch_id, actor=actor).held if fill else 0
    say(
        batch_as_json(batch) | {"requests": held},
        f"Batch {batch.batch_id} for {batch.receiver}: {held} requests.",
        output_format,
    )


@batches_app.command(
    "fill",
    epilog="""\b
Examples:
  membercard-issuer --home office batches fill BATCH
  membercard-issuer --home office batches fill BATCH --limit 500
""",
)
@needs(Right.FREEZE_BATCHES, by_use_case=True)
def fill_batch_command(
    context: typer.Context,
    batch: BatchArgument,
    *,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Put decided requests into an open batch, in the order of the register."""
    actor = command_context(context).actor
    with _opened(context) as (_, office):
        report = office.filling.fill(parse_batch_id(batch), actor=actor, limit=limit)
    say(
        {"filled": report.filled, "held": report.held, "waiting": report.waiting},
        f"{report.filled} requests put in; the batch holds {report.held}, {report.waiting} wait.",
        output_format,
    )


@batches_app.command(
    "take-out",
    epilog="""\b
Examples:
  membercard-issuer --home office batches take-out BATCH 5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10
""",
)
@needs(Right.FREEZE_BATCHES, by_use_case=True)
def take_out_command(
    context: typer.Context,
    batch: BatchArgument,
    request: Annotated[
        list[str], typer.Argument(metavar="REQUEST...", help="Identifiers of requests.")
    ],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take requests out of an open batch; they can go into another one."""
    actor = command_context(context).actor
    with _opened(context) as (_, office):
        taken = office.filling.take_out(
            parse_batch_id(batch), [parse_request_id(text) for text in request], actor=actor
        )
    say({"taken_out": taken}, f"{taken} requests taken out.", output_format)


@batches_app.command(
    "cancel",
    epilog="""\b
Examples:
  membercard-issuer --home office batches cancel BATCH
""",
)
@needs(Right.FREEZE_BATCHES, by_use_case=True)
def cancel_batch_command(
    context: typer.Context,
    batch: BatchArgument,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Give up a batch that is not frozen; its requests can go into another one."""
    actor = command_context(context).actor
    with _opened(context) as (_, office):
        cancelled = office.filling.cancel(parse_batch_id(batch), actor=actor)
    say(batch_as_json(cancelled), "The batch is cancelled.", output_format)


@batches_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office batches list
  membercard-issuer --home office batches list --state frozen --format json
""",
)
@needs(Right.READ_CARDS, by_use_case=True)
def list_batches_command(
    context: typer.Context,
    *,
    state: Annotated[
        list[BatchState] | None, typer.Option(help="Only batches in this state.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List the batches of one's own part of the tree, the newest first."""
    actor = command_context(context).actor
    with _opened(context) as (_, office):
        found = list(_all_batches(office, state, actor=actor))
    if output_format is OutputFormat.JSON:
        print_json_list(view_as_json(each) for each in found)
        return
    print_table(
        ("Batch", "Receiver", "Decision", "State", "Requests", "Good", "Condemned"),
        (
            (
                str(each.batch.batch_id),
                each.receiver_name,
                each.decision_number,
                each.batch.state.value,
                str(each.tally.requests),
                str(each.tally.good),
                str(each.tally.condemned),
            )
            for each in found
        ),
    )


@batches_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office batches show BATCH
""",
)
@needs(Right.READ_CARDS, by_use_case=True)
def show_batch_command(
    context: typer.Context,
    batch: BatchArgument,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show a batch: who proposed and confirmed it, where its cards are, and what happened."""
    actor = command_context(context).actor
    with _opened(context) as (_, office):
        view = office.reading.show(parse_batch_id(batch), actor=actor)
    if output_format is OutputFormat.JSON:
        print_json(view_as_json(view))
    else:
        show_view(view)


@batches_app.command(
    "cards",
    epilog="""\b
Examples:
  membercard-issuer --home office batches cards BATCH
  membercard-issuer --home office batches cards BATCH --names --format json
""",
)
@needs(Right.READ_CARDS, by_use_case=True)
def batch_cards_command(
    context: typer.Context,
    batch: BatchArgument,
    *,
    names: Annotated[
        bool, typer.Option("--names", help="With names, for those who may read members.")
    ] = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List the requests of a batch with their cards, in the order of the proof sheet."""
    actor = command_context(context).actor
    with _opened(context) as (opened, office):
        lines = list(_all_lines(office, batch, actor=actor, names=names))
    if output_format is OutputFormat.JSON:
        print_json_list(line_as_json(each, opened.scheme) for each in lines)
        return
    head = ["No.", "Card number", *(["Name"] if names else []), "Recorded in", "Serial", "State"]
    print_table((*head, "Box"), (tuple(line_cells(each, opened.scheme)) for each in lines))


ChipSiteOption = Annotated[
    list[str] | None,
    typer.Option(
        "--site",
        help="Take chips that lie there; repeat it for several. Else those of the receiver's own unit are taken.",
    ),
]


def _sites(texts: Sequence[str] | None) -> tuple[SiteCode, ...]:
    return tuple(parse_site_code(each) for each in texts or ())


@freeze_app.command(
    "propose",
    epilog="""\b
Examples:
  membercard-issuer --home office batches freeze propose BATCH
""",
)
@needs(Right.FREEZE_BATCHES, by_use_case=True)
def propose_command(
    context: typer.Context,
    batch: BatchArgument,
    *,
    site: ChipSiteOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Propose to freeze a batch as it is; print its proof sheet next, for both to compare.

    Requests whose members may have no card any more are left out.
    """
    actor = command_context(context).actor
    with _opened(context) as (_, office):
        proposed = office.freezing.propose(parse_batch_id(batch), actor=actor, sites=_sites(site))
    proposal = proposed.batch.proposal
    proof = "" if proposal is None else proposal.proof.hex()
    cards = 0 if proposal is None else proposal.cards
    say(
        batch_as_json(proposed.batch)
        | {
            "left_out": [str(each) for each in proposed.left_out],
            "chips_missing": proposed.chips_missing,
        },
        f"Freeze of {cards} cards proposed, {len(proposed.left_out)} requests left out; "
        f"{proposed.chips_missing} initialised chips are missing.\nProof: {proof}",
        output_format,
    )


@freeze_app.command(
    "confirm",
    epilog="""\b
Examples:
  membercard-issuer --home office batches freeze confirm BATCH --proof 3f9a1c20b4d85e67
  membercard-issuer --home office batches freeze confirm BATCH --proof 3f9a1c20b4d85e67 --site p01-station
""",
)
@needs(Right.FREEZE_BATCHES, by_use_case=True)
def confirm_freeze_command(
    context: typer.Context,
    batch: BatchArgument,
    *,
    proof: Annotated[
        str, typer.Option(help="What stands on the proof sheet: 16 hexadecimal digits at least.")
    ],
    site: ChipSiteOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Freeze what another person proposed: members are bound to initialised chips."""
    actor = command_context(context).actor
    with opened_production(context) as home:
        office = batches_of(home.opened, random_bytes=RandomPool(home.keystore.random_bytes))
        frozen = office.freezing.confirm(
            parse_batch_id(batch), proof, actor=actor, sites=_sites(site)
        )
    say(
        batch_as_json(frozen.batch) | {"bound": frozen.bound},
        f"{frozen.bound} cards bound; the batch is frozen.",
        output_format,
    )


@freeze_app.command(
    "take-back",
    epilog="""\b
Examples:
  membercard-issuer --home office batches freeze take-back BATCH
""",
)
@needs(Right.FREEZE_BATCHES, by_use_case=True)
def take_back_command(
    context: typer.Context,
    batch: BatchArgument,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Open a batch again whose freeze was proposed: something on its proof sheet is wrong."""
    actor = command_context(context).actor
    with _opened(context) as (_, office):
        opened = office.freezing.take_back(parse_batch_id(batch), actor=actor)
    say(batch_as_json(opened), "The batch is open again.", output_format)


def _all_batches(
    office: BatchOffice, states: list[BatchState] | None, *, actor: Actor
) -> Iterator[BatchView]:
    behind: BatchPosition | None = None
    while True:
        page = office.reading.page(actor=actor, limit=_PAGE_ROWS, behind=behind, states=states)
        yield from page.batches
        if page.end is None:
            return
        behind = page.end


def _all_lines(
    office: BatchOffice, batch: str, *, actor: Actor, names: bool
) -> Iterator[NamedLine]:
    behind: int | None = None
    while True:
        page = office.reading.lines(
            parse_batch_id(batch),
            actor=actor,
            limit=_PAGE_ROWS,
            behind=behind,
            with_names=names,
        )
        yield from page.lines
        if page.end is None:
            return
        behind = page.end
