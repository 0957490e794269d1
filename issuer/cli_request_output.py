"""How commands of requests and decisions walk lists and tell what became of many requests."""

from collections import Counter
from collections.abc import Iterable, Iterator

import typer

from issuer.bootstrap import RegisterHome
from issuer.cli_context import OutputFormat, print_json, print_table, standard_output
from issuer.domain.requests import CardRequest
from issuer.services.request_outcome import RequestOutcome
from issuer.services.request_ports import RequestPosition, RequestQuestion

__all__ = ["conclude", "request_as_json", "walk_requests"]

_REFUSED = 1
_SHOWN_TO_PEOPLE = 20
_PAGE_ROWS = 500


def walk_requests(opened: RegisterHome, question: RequestQuestion) -> Iterator[CardRequest]:
    """All pages of a list, each read in a transaction of its own."""
    behind: RequestPosition | None = None
    while True:
        with opened.register.reading() as transaction:
            page = transaction.requests.page(question, limit=_PAGE_ROWS, behind=behind)
        yield from page.requests
        if page.end is None:
            return
        behind = page.end


def request_as_json(opened: RegisterHome, request: CardRequest) -> dict[str, object]:
    """A request as programs read it."""
    number = request.card_number
    return {
        "request_id": str(request.request_id),
        "member_id": str(request.member_id),
        "organisation_code": request.organisation_code,
        "kind": request.kind.value,
        "reason": None if request.reason is None else request.reason.value,
        "ordinal": request.ordinal,
        "state": request.state.value,
        "version": request.version,
        "created_at": request.created_at.isoformat(),
        "card_number": None if number is None else opened.scheme.display(number),
    }


def conclude(outcomes: Iterable[RequestOutcome], output_format: OutputFormat, *, what: str) -> None:
    """Tell what became of many requests; the exit status is 1 where one was refused."""
    changed: list[RequestOutcome] = []
    refusals: list[RequestOutcome] = []
    unchanged = 0
    for outcome in outcomes:
        if outcome.code is not None:
            refusals.append(outcome)
        elif outcome.is_changed:
            changed.append(outcome)
        else:
            unchanged += 1
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "changed": [str(each.request_id) for each in changed],
                "unchanged": unchanged,
                "refused": [
                    {
                        "request_id": None if each.request_id is None else str(each.request_id),
                        "member_id": None if each.member_id is None else str(each.member_id),
                        "code": each.code,
                        "reason": each.sentence,
                    }
                    for each in refusals
                ],
            }
        )
    else:
        if refusals:
            print_table(
                ("Request", "Member", "Code", "Reason"),
                (
                    (
                        str(each.request_id or ""),
                        str(each.member_id or ""),
                        each.code or "",
                        each.sentence,
                    )
                    for each in refusals[:_SHOWN_TO_PEOPLE]
                ),
            )
            by_code = Counter(each.code for each in refusals)
            if len(refusals) > _SHOWN_TO_PEOPLE:
                standard_output().print(
                    ", ".join(f"{count} {code}" for code, count in by_code.items()), markup=False
                )
        standard_output().print(
            f"{len(changed)} requests {what}, {unchanged} were before, {len(refusals)} refused."
        )
    if refusals:
        raise typer.Exit(_REFUSED)
