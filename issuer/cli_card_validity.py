"""Commands of cards in their members' hands: ``cards report``, ``confirm``, ``resume``, ``suspend``, ``collect``, ``give-back``, ``return``, ``revoke``, ``expire``."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.cli_card_names import CardArgument, CardsArgument, find_card
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_json_list,
    standard_error,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.domain.card import CardReference
from issuer.domain.card_validity import REPORTS, EndReason
from issuer.domain.requests import RequestId
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.reference_files import read_references
from issuer.services.card_lifecycle import CardLifecycle
from issuer.services.card_validity_ports import CardRecord
from issuer.services.draft_requests import RequestDrafting
from issuer.services.expire_cards import CardExpiry
from issuer.services.revoke_references import (
    CompromisedSigner,
    CompromiseOutcome,
    CompromiseStep,
)

__all__ = ["card_validity_app"]

_REFUSED = 1
_UNUSUAL = (CompromiseStep.UNKNOWN, CompromiseStep.REPORTED_OTHERWISE)

card_validity_app = typer.Typer(rich_markup_mode=None)

RemarkOption = Annotated[
    str, typer.Option("--remark", help="What is to be known of it, in a line; kept with the card.")
]


@card_validity_app.command(
    "report",
    epilog="""\b
Examples:
  membercard-issuer --home office cards report 01.000017 --reason lost --remark "on the market"
  membercard-issuer --home office cards report 00000000000000000017 --reason damaged
""",
)
@needs(Right.REPORT_CARDS, by_use_case=True)
def report_command(
    context: typer.Context,
    card: CardArgument,
    *,
    reason: Annotated[
        EndReason, typer.Option(help="What happened: " + ", ".join(sorted(REPORTS)) + ".")
    ],
    remark: RemarkOption = "",
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Say that a card is lost, stolen, damaged, ...: it counts for nothing at once.

    It ends for good when another person, who may revoke, confirms it; until then `cards resume` takes it back.
    """
    if reason not in REPORTS:
        raise IssuerDataError(
            f"{reason} is nothing that is reported, expected one of {', '.join(sorted(REPORTS))}",
            code="card.report-reason",
        )
    actor = command_context(context).actor
    with _opened(context) as (lifecycle, find):
        found = lifecycle.report(find(card), reason, actor=actor, remark=remark)
    _print([found], output_format)


@card_validity_app.command(
    "confirm",
    epilog="""\b
Examples:
  membercard-issuer --home office cards confirm 01.000017
  membercard-issuer --home office cards confirm 01.000017 01.000018 --remark "minutes 12"
""",
)
@needs(Right.REVOKE_CARDS, by_use_case=True)
def confirm_command(
    context: typer.Context,
    cards: CardsArgument,
    *,
    remark: RemarkOption = "",
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Confirm what another person reported: these cards never count again.

    The exit status is 1 where a card was refused.
    """
    _each(
        context,
        cards,
        output_format,
        lambda lifecycle, card, actor: lifecycle.confirm(card, actor=actor, remark=remark),
    )


@card_validity_app.command(
    "suspend",
    epilog="""\b
Examples:
  membercard-issuer --home office cards suspend 01.000017 --remark "inspection 7"
""",
)
@needs(Right.REVOKE_CARDS, by_use_case=True)
def suspend_command(
    context: typer.Context,
    cards: CardsArgument,
    *,
    remark: RemarkOption,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Let cards count for nothing, until somebody resumes them."""
    _each(
        context,
        cards,
        output_format,
        lambda lifecycle, card, actor: lifecycle.suspend(card, actor=actor, remark=remark),
    )


@card_validity_app.command(
    "resume",
    epilog="""\b
Examples:
  membercard-issuer --home office cards resume 01.000017 --remark "it lay at home"
""",
)
@needs(Right.REVOKE_CARDS, by_use_case=True)
def resume_command(
    context: typer.Context,
    cards: CardsArgument,
    *,
    remark: RemarkOption,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take back a report that was wrong, as another person than who made it, or else an office's suspension.

    A card that has ended never comes back.
    """
    _each(
        context,
        cards,
        output_format,
        lambda lifecycle, card, actor: lifecycle.resume(card, actor=actor, remark=remark),
    )


@card_validity_app.command(
    "collect",
    epilog="""\b
Examples:
  membercard-issuer --home office cards collect 01.000017 --remark "abroad for two years"
""",
)
@needs(Right.REPORT_CARDS, by_use_case=True)
def collect_command(
    context: typer.Context,
    cards: CardsArgument,
    *,
    remark: RemarkOption = "",
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Record that a member's organisation took the card in: it counts for nothing while it lies there."""
    _each(
        context,
        cards,
        output_format,
        lambda lifecycle, card, actor: lifecycle.collect(card, actor=actor, remark=remark),
    )


@card_validity_app.command(
    "give-back",
    epilog="""\b
Examples:
  membercard-issuer --home office cards give-back 01.000017
""",
)
@needs(Right.REPORT_CARDS, by_use_case=True)
def give_back_command(
    context: typer.Context,
    cards: CardsArgument,
    *,
    remark: RemarkOption = "",
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Record that a collected card is in its member's hand again."""
    _each(
        context,
        cards,
        output_format,
        lambda lifecycle, card, actor: lifecycle.give_back(card, actor=actor, remark=remark),
    )


@card_validity_app.command(
    "return",
    epilog="""\b
Examples:
  membercard-issuer --home office cards return 01.000017 --remark "found by a neighbour"
""",
)
@needs(Right.REPORT_CARDS, by_use_case=True)
def return_command(
    context: typer.Context,
    cards: CardsArgument,
    *,
    remark: RemarkOption = "",
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Record that a card came back for good: one in force waits for its end, one that has ended stays ended."""
    _each(
        context,
        cards,
        output_format,
        lambda lifecycle, card, actor: lifecycle.take_back(card, actor=actor, remark=remark),
    )


@card_validity_app.command(
    "revoke",
    epilog="""\b
Examples:
  membercard-issuer --home office cards revoke --references cards.csv --remark "ds-3 was stolen"
  membercard-issuer --home office cards revoke --references cards.csv --format json
""",
)
@needs(Right.REVOKE_CARDS, by_use_case=True)
def revoke_command(
    context: typer.Context,
    *,
    references: Annotated[
        Path,
        typer.Option(help="The list that `membercard-pki signer compromise --references` wrote."),
    ],
    remark: RemarkOption = "",
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """End every card of a document signer whose key is in other hands; two people bring the same list.

    The first suspends the cards, the second ends them, and their members' re-issues are drafted. The exit status is 1
    where a card is not known here, was reported otherwise, or its re-issue could not be drafted.
    """
    actor = command_context(context).actor
    steps: Counter[CompromiseStep] = Counter()
    drafted = 0
    unusual: list[CompromiseOutcome] = []
    with open_register_home(command_context(context).home) as home:
        signer = CompromisedSigner(
            register=home.register,
            drafting=RequestDrafting(
                register=home.register,
                clock=_now,
                new_request_id=lambda: RequestId(uuid.uuid4()),
            ),
            clock=_now,
        )
        for outcome in signer.take(read_references(references), actor=actor, remark=remark):
            steps[outcome.step] += 1
            drafted += outcome.is_drafted
            if outcome.code is not None or outcome.step in _UNUSUAL:
                unusual.append(outcome)
    if output_format is OutputFormat.JSON:
        print_json(
            {
                **{step.value: steps[step] for step in CompromiseStep},
                "drafted": drafted,
                "unusual": [
                    {
                        "reference": each.reference.hex(),
                        "step": each.step.value,
                        "code": each.code,
                    }
                    for each in unusual
                ],
            }
        )
    else:
        for each in unusual:
            standard_error().print(
                f"card {each.reference.hex()}: {each.step}"
                + (f"; no re-issue drafted [{each.code}]" if each.code else ""),
                markup=False,
                soft_wrap=True,
            )
        told = ", ".join(f"{count} {step}" for step, count in sorted(steps.items()))
        standard_output().print(
            f"Cards of the list: {told or 'none'}; {drafted} re-issues drafted.", soft_wrap=True
        )
    if unusual:
        raise typer.Exit(_REFUSED)


@card_validity_app.command(
    "expire",
    epilog="""\b
Examples:
  membercard-issuer --home office cards expire
""",
)
@needs(Right.OPERATE_SERVICE)
def expire_command(context: typer.Context, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """End the cards whose last day has passed; run it every day, before the status list is published."""
    with open_register_home(command_context(context).home) as home:
        expiry = CardExpiry(register=home.register, clock=_now)
        count = expiry.run(actor=command_context(context).actor)
    if output_format is OutputFormat.JSON:
        print_json({"expired": count})
    else:
        standard_output().print(f"{count} cards have expired.")


@contextmanager
def _opened(
    context: typer.Context,
) -> Iterator[tuple[CardLifecycle, Callable[[str], CardReference]]]:
    with open_register_home(command_context(context).home) as home:
        yield (
            CardLifecycle(register=home.register, clock=_now),
            lambda text: find_card(home.register, home.scheme, text),
        )


def _each(
    context: typer.Context,
    cards: list[str],
    output_format: OutputFormat,
    act: Callable[[CardLifecycle, CardReference, Actor], CardRecord],
) -> None:
    """One act for each card, a transaction a card; a refusal of one does not stop the next."""
    actor = command_context(context).actor
    done: list[CardRecord] = []
    refusals: list[IssuerRefusedError | IssuerDataError] = []
    with _opened(context) as (lifecycle, find):
        for text in cards:
            try:
                done.append(act(lifecycle, find(text), actor))
            except (IssuerRefusedError, IssuerDataError) as error:
                if len(cards) == 1:
                    raise
                refusals.append(error)
    _print(done, output_format)
    for refusal in refusals:
        standard_error().print(f"refused: {refusal} [{refusal.code}]", markup=False, soft_wrap=True)
    if refusals:
        raise typer.Exit(_REFUSED)


def _print(records: list[CardRecord], output_format: OutputFormat) -> None:
    if output_format is OutputFormat.JSON:
        print_json_list(
            {
                "reference": record.card.reference.hex(),
                "serial": record.card.serial.hex().upper(),
                "counts_as": record.validity.state.label,
                "ended_for": record.validity.end,
                "report": record.validity.report,
                "reported_by": record.validity.reported_by,
            }
            for record in records
        )
        return
    for record in records:
        waiting = (
            ""
            if record.validity.report is None
            else f"; reported as {record.validity.report}, to be confirmed by another person"
        )
        standard_output().print(
            f"Card {record.card.reference.hex()} counts as {record.validity.state.label}{waiting}.",
            soft_wrap=True,
        )


def _now() -> datetime:
    return datetime.now(UTC)
