"""Commands of requests: list, show, draft, propose, endorse, compile, send back, withdraw."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from issuer.bootstrap import RegisterHome, open_register_home
from issuer.bootstrap_requests import requests_of
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_json_list,
    print_table,
    standard_output,
)
from issuer.cli_request_output import conclude, request_as_json, walk_requests
from issuer.cli_rights import needs
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.requests import (
    CardRequest,
    ReissueReason,
    RequestEventKind,
    RequestId,
    RequestKind,
    RequestState,
    parse_request_id,
)
from issuer.domain.rights import Actor, Right
from issuer.services.directory_ports import DirectoryPosition, MemberSelection
from issuer.services.draft_requests import Wish
from issuer.services.places import place_of
from issuer.services.request_ports import RequestQuestion

__all__ = ["requests_app"]

_PAGE_ROWS = 500

requests_app = typer.Typer(
    help="Requests for cards: draft, propose, endorse, compile, list, show.", rich_markup_mode=None
)

RequestArguments = Annotated[
    list[str] | None, typer.Argument(metavar="[REQUEST]...", help="Identifiers of requests.")
]
EveryOption = Annotated[
    bool, typer.Option("--all", help="Every request that waits for this step, in one's own part.")
]
OrganisationOption = Annotated[
    str | None, typer.Option(help="Only those of this organisation and of all below it.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; a line of text.")]


@requests_app.command(
    "draft",
    epilog="""\b
Examples:
  membercard-issuer --home office requests draft --kind exchange --all --organisation P-01
  membercard-issuer --home office requests draft --kind new-issue --all
  membercard-issuer --home office requests draft --kind re-issue --reason lost --member 5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10
""",
)
@needs(Right.PROPOSE, by_use_case=True)
def draft_command(
    context: typer.Context,
    *,
    kind: Annotated[RequestKind, typer.Option(help="What is asked for.")],
    reason: Annotated[
        ReissueReason | None, typer.Option(help="Why a card is made once more; with re-issue.")
    ] = None,
    member: Annotated[
        list[str] | None, typer.Option(help="For this member (identifier); may be repeated.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="For every member who may have it and has no request.")
    ] = False,
    organisation: Annotated[
        str | None,
        typer.Option(help="With --all: only members of this organisation and those below it."),
    ] = None,
    ordinal: Annotated[
        int | None,
        typer.Option(
            min=1, max=99, help="Which of the member's cards it is; counted where not given."
        ),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Draft requests; repeated, it finds its own drafts. With --all whoever may not have it is left out.

    The exit status is 1 where a member who was named gets no draft.
    """
    if every == bool(member):
        raise typer.BadParameter("give either --all or --member")
    actor = command_context(context).actor
    wish = Wish(kind=kind, reason=reason, ordinal=ordinal)
    with open_register_home(command_context(context).home) as opened:
        wanted = (
            _members(opened, actor, organisation)
            if every
            else (MemberId(parse_request_id(text)) for text in member or ())
        )
        outcomes = requests_of(opened).drafting.draft(wanted, wish, actor=actor)
        if every:
            outcomes = (each for each in outcomes if each.code is None)
        conclude(outcomes, output_format, what="drafted")


def _add_step(
    name: str, step: RequestEventKind, waiting: RequestState, right: Right, *, help_text: str
) -> None:
    """One command for each step that takes no reason."""

    @requests_app.command(
        name,
        help=help_text,
        epilog=f"""\b
Examples:
  membercard-issuer --home office requests {name} --all
  membercard-issuer --home office requests {name} 5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10
""",
    )
    @needs(right, by_use_case=True)
    def step_command(
        context: typer.Context,
        request: RequestArguments = None,
        *,
        every: EveryOption = False,
        organisation: OrganisationOption = None,
        output_format: FormatOption = OutputFormat.TEXT,
    ) -> None:
        actor = command_context(context).actor
        with open_register_home(command_context(context).home) as opened:
            wanted = _wanted(
                opened,
                actor,
                right,
                request,
                every=every,
                organisation=organisation,
                states={waiting},
            )
            outcomes = requests_of(opened).steps.take(wanted, step, actor=actor)
            conclude(outcomes, output_format, what=step.value)


_add_step(
    "propose",
    RequestEventKind.PROPOSED,
    RequestState.DRAFT,
    Right.PROPOSE,
    help_text="Propose drafts, and what was sent back: the cell asks the grassroots committee. "
    "Whoever may not have a card any more is refused; the exit status is 1 then.",
)
_add_step(
    "endorse",
    RequestEventKind.ENDORSED,
    RequestState.PROPOSED,
    Right.ENDORSE,
    help_text="Endorse proposed requests: the grassroots committee passes them on. "
    "The exit status is 1 where a request is refused.",
)
_add_step(
    "compile",
    RequestEventKind.COMPILED,
    RequestState.ENDORSED,
    Right.COMPILE,
    help_text="Compile endorsed requests for the committee that decides. "
    "The exit status is 1 where a request is refused.",
)


@requests_app.command(
    "send-back",
    epilog="""\b
Examples:
  membercard-issuer --home office requests send-back 5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10 --reason "the portrait is blurred"
""",
)
@needs(Right.READ_REQUESTS, by_use_case=True)
def send_back_command(
    context: typer.Context,
    request: Annotated[list[str], typer.Argument(help="Identifiers of requests.")],
    *,
    reason: ReasonOption,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Send requests back to the cell with a reason; who would take the next step has the right.

    The exit status is 1 where a request is refused.
    """
    actor = command_context(context).actor
    _step_with_reason(
        context,
        request,
        RequestEventKind.SENT_BACK,
        actor=actor,
        reason=reason,
        output_format=output_format,
    )


@requests_app.command(
    "withdraw",
    epilog="""\b
Examples:
  membercard-issuer --home office requests withdraw 5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10 --reason "drafted by mistake"
""",
)
@needs(Right.READ_REQUESTS, by_use_case=True)
def withdraw_command(
    context: typer.Context,
    request: Annotated[list[str], typer.Argument(help="Identifiers of requests.")],
    *,
    reason: ReasonOption,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Withdraw requests for good, as long as they stand in no decision; what is decided, by two, as long as there is no card.

    The exit status is 1 where a request is refused.
    """
    actor = command_context(context).actor
    _step_with_reason(
        context,
        request,
        RequestEventKind.WITHDRAWN,
        actor=actor,
        reason=reason,
        output_format=output_format,
    )


@requests_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office requests list
  membercard-issuer --home office requests list --state proposed --organisation P-01
  membercard-issuer --home office requests list --format json
""",
)
@needs(Right.READ_REQUESTS, by_use_case=True)
def list_requests_command(
    context: typer.Context,
    *,
    state: Annotated[
        list[RequestState] | None, typer.Option(help="Only in this state; may be repeated.")
    ] = None,
    kind: Annotated[RequestKind | None, typer.Option(help="Only of this kind.")] = None,
    organisation: OrganisationOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List requests in the order in which they were drafted, as far as one's own part of the tree goes."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        question = RequestQuestion(
            states=None if not state else set(state),
            kind=kind,
            below=_part(opened, actor, Right.READ_REQUESTS, organisation),
        )
        found = itertools.islice(walk_requests(opened, question), limit)
        if output_format is OutputFormat.JSON:
            print_json_list(request_as_json(opened, each) for each in found)
            return
        print_table(
            ("Request", "State", "Kind", "Ordinal", "Organisation", "Card number"),
            (
                (
                    str(each.request_id),
                    each.state.value,
                    _kind(each),
                    str(each.ordinal),
                    each.organisation_code,
                    "" if each.card_number is None else opened.scheme.display(each.card_number),
                )
                for each in found
            ),
        )


@requests_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office requests show 5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10
""",
)
@needs(Right.READ_REQUESTS, by_use_case=True)
def show_request_command(
    context: typer.Context,
    request: Annotated[str, typer.Argument(help="The identifier of the request.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show a request and its time line: who took which step when, and why it was sent back."""
    actor = command_context(context).actor
    request_id = parse_request_id(request)
    with open_register_home(command_context(context).home) as opened:
        office = requests_of(opened)
        with opened.register.reading() as transaction:
            found = transaction.requests.get(request_id)
            place = place_of(transaction.organisations, found.organisation_code)
            actor.demand(Right.READ_REQUESTS, place=place, now=office.drafting.clock())
            line = transaction.requests.time_lines([request_id])[request_id]
            decision_id = transaction.requests.current_decision(request_id)
        if output_format is OutputFormat.JSON:
            print_json(
                request_as_json(opened, found)
                | {
                    "decision_id": None if decision_id is None else str(decision_id),
                    "time_line": [
                        {
                            "at": each.at.isoformat(),
                            "account": each.account,
                            "step": each.kind.value,
                            "reason": each.remark or None,
                        }
                        for each in line
                    ],
                }
            )
            return
        number = "" if found.card_number is None else opened.scheme.display(found.card_number)
        standard_output().print(
            f"{_kind(found)} for member {found.member_id}, card {found.ordinal} {number}: {found.state}",
            markup=False,
        )
        print_table(
            ("Time", "Step", "Account", "Reason"),
            (
                (each.at.isoformat(timespec="seconds"), each.kind.value, each.account, each.remark)
                for each in line
            ),
        )


def _step_with_reason(
    context: typer.Context,
    requests: list[str],
    step: RequestEventKind,
    *,
    actor: Actor,
    reason: str,
    output_format: OutputFormat,
) -> None:
    wanted = [parse_request_id(text) for text in requests]
    with open_register_home(command_context(context).home) as opened:
        outcomes = requests_of(opened).steps.take(wanted, step, actor=actor, remark=reason)
        conclude(outcomes, output_format, what=step.value)


def _wanted(
    opened: RegisterHome,
    actor: Actor,
    right: Right,
    requests: list[str] | None,
    *,
    every: bool,
    organisation: str | None,
    states: set[RequestState],
) -> Iterable[RequestId]:
    if every == bool(requests):
        raise typer.BadParameter("give either --all or identifiers")
    if requests:
        return [parse_request_id(text) for text in requests]
    question = RequestQuestion(states=states, below=_part(opened, actor, right, organisation))
    # Read before the first step is taken: what is taken leaves the list.
    return [each.request_id for each in walk_requests(opened, question)]


def _part(
    opened: RegisterHome, actor: Actor, right: Right, organisation: str | None
) -> frozenset[OrganisationCode] | None:
    """The part of the tree that is asked for; without one, all in which the actor has the right."""
    if organisation is None:
        return actor.roots(right)
    code = parse_organisation_code(organisation)
    with opened.register.reading() as transaction:
        place = place_of(transaction.organisations, code)
    actor.demand(right, place=place, now=requests_of(opened).drafting.clock())
    return frozenset({code})


def _members(opened: RegisterHome, actor: Actor, organisation: str | None) -> Iterator[MemberId]:
    """Members of the part of the tree that is asked for; without one, of all in which the actor may propose."""
    roots = _part(opened, actor, Right.PROPOSE, organisation)
    behind: DirectoryPosition | None = None
    while True:
        with opened.register.reading() as transaction:
            page = transaction.directory.page(
                MemberSelection(roots=roots), limit=_PAGE_ROWS, behind=behind
            )
        yield from (each.member_id for each in page.lines)
        behind = page.end
        if behind is None:
            return


def _kind(request: CardRequest) -> str:
    return request.kind.value if request.reason is None else f"{request.kind} ({request.reason})"
