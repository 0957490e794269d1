"""Pages of questionable rows: which wait, one beside whom it resembles, and the decision on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import RedirectResponse

from issuer.api.cursors import CursorScope
from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.import_routes import Importer, ImportNumberPath
from issuer.api.languages import Language
from issuer.api.pages import words
from issuer.api.pages.rendering import language_of, render
from issuer.api.pages_of_lists import CursorOfPage
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.api.remedies import remedy_of
from issuer.domain.list_row import Finding
from issuer.domain.member import MemberStatement
from issuer.domain.member_change import field_text
from issuer.domain.member_rules import MemberColumn
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.decide_doubts import WeighedRow
from issuer.services.import_ports import ImportNumber, RowReference

__all__ = ["questionable_router"]

questionable_router = APIRouter(include_in_schema=False)

_LIST: Final = "/questionable"
_PAGE: Final = 50
_POSITION_BYTES: Final = 4
_DATES: Final = frozenset(
    {
        MemberColumn.BIRTH_DATE, MemberColumn.ADMISSION_DATE, MemberColumn.RECOGNITION_DATE,
        MemberColumn.STANDING_SINCE,
    }
)  # fmt: skip
_LISTS_OF_WORDS: Final = {
    MemberColumn.SEX: words.SEXES,
    MemberColumn.STANDING: words.STANDINGS,
}
_GONE: Final = frozenset({"right.missing", "questionable.unknown"})


def _reference(
    number: ImportNumberPath, row: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> RowReference:
    return RowReference(ImportNumber(number), row)


RowPath = Annotated[RowReference, Depends(_reference)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One column: what the row says, and what each member's record says; ``word`` texts are translated."""

    label: str
    is_word: bool
    values: Sequence[str | date | None]

    @property
    def differs(self) -> bool:
        """Whether not all say the same."""
        return len(set(self.values)) > 1


@questionable_router.get(_LIST, response_model=None)
def questionable_page(
    request: Request,
    services: Services,
    caller: Importer,
    cursor: CursorOfPage = None,
) -> Response:
    """The rows that wait for the reader."""
    scope = CursorScope(listing="questionable", account=caller.actor.account)
    behind = None
    if cursor is not None:
        position = services.cursors.open(cursor, scope)
        behind = RowReference(
            ImportNumber(int.from_bytes(position[:_POSITION_BYTES])),
            int.from_bytes(position[_POSITION_BYTES:]),
        )
    page = services.doubts.page(actor=caller.actor, limit=_PAGE, behind=behind)
    following = None
    if page.end is not None:
        position = page.end.number.to_bytes(_POSITION_BYTES) + page.end.row.to_bytes(
            _POSITION_BYTES
        )
        following = f"{_LIST}?cursor={services.cursors.seal(position, scope)}"
    return render(
        request,
        "questionable.html",
        caller=caller,
        rows=page.rows,
        doubt=_teller(request, services),
        names=services.organisations.names([each.organisation for each in page.rows]),
        first=None if cursor is None else _LIST,
        next=following,
        words=words,
    )


@questionable_router.get(_LIST + "/{number}/{row}", response_model=None)
def questionable_row_page(
    reference: RowPath, request: Request, services: Services, caller: Importer
) -> Response:
    """One row beside the members whom it resembles."""
    return _show(request, services, caller, reference)


@questionable_router.get(_LIST + "/{number}/{row}/portrait", response_model=None)
def questionable_portrait(reference: RowPath, services: Services, caller: Importer) -> Response:
    """The picture that came with the row."""
    try:
        content = services.doubts.look(reference, actor=caller.actor)
    except IssuerRefusedError as error:
        raise _hidden(error, reference) from error
    return Response(content.portrait, media_type="image/jpeg")


@questionable_router.post(_LIST + "/{number}/{row}", response_model=None)
def decide(
    reference: RowPath,
    request: Request,
    services: Services,
    caller: Importer,
    fields: FormFields,
) -> Response:
    """Take the row or do not; decided twice, the second decision is refused."""
    reason = fields.get("reason", "")
    decision = fields.get("decision", "")
    if decision not in {"accept", "refuse"}:
        raise ApiError("the form decides nothing", code="api.request-invalid")
    try:
        if decision == "accept":
            services.doubts.accept(reference, actor=caller.actor, reason=reason)
        else:
            services.doubts.refuse(reference, actor=caller.actor, reason=reason)
    except (IssuerDataError, IssuerRefusedError, ConflictError) as error:
        if error.code in _GONE or error.code == "questionable.decided":
            raise _hidden(error, reference) from error
        return _show(request, services, caller, reference, reason=reason, error=error)
    return RedirectResponse(_LIST, status_code=303)


def _show(
    request: Request,
    services: ApiServices,
    caller: Caller,
    reference: RowReference,
    *,
    reason: str = "",
    error: IssuerDataError | IssuerRefusedError | ConflictError | None = None,
) -> Response:
    try:
        weighed = services.doubts.weigh(reference, actor=caller.actor)
    except IssuerRefusedError as refused:
        raise _hidden(refused, reference) from refused
    status = 200 if error is None else int(status_of(error))
    problem = {} if error is None else {"code": error.code, "remedy": remedy_of(error.code, status)}
    return render(
        request,
        "questionable_row.html",
        caller=caller,
        status=status,
        weighed=weighed,
        doubt=_teller(request, services),
        lines=_lines(weighed),
        reason=reason,
        here=f"{_LIST}/{reference.number}/{reference.row}",
        words=words,
        **problem,
    )


def _teller(request: Request, services: ApiServices) -> Callable[[Finding], str]:
    """What is doubted, in the reader's language; sentences of findings hold nobody's data."""
    if language_of(request) is Language.VIETNAMESE:
        return lambda finding: services.finding_in_vietnamese(finding.code)
    return lambda finding: finding.sentence


def _hidden(
    error: IssuerDataError | IssuerRefusedError | ConflictError, reference: RowReference
) -> IssuerRefusedError | IssuerDataError | ConflictError:
    """Whoever may not see a row does not learn that there is one."""
    if error.code != "right.missing":
        return error
    return IssuerRefusedError(f"row {reference} is not known", code="questionable.unknown")


def _lines(weighed: WeighedRow) -> list[_Line]:
    """Column by column; where the row breaks a rule by now, what its cells say."""
    found: list[_Line] = []
    for name, label in words.COLUMNS.items():
        column = MemberColumn(name)
        if weighed.statement is not None:
            own = _value(weighed.statement, column)
        else:
            cell = weighed.content.cells.get(name)
            own = cell if cell is None or isinstance(cell, date) else str(cell)
        others = [_value(each.statement, column) for each in weighed.members]
        if own is not None or any(others):
            found.append(
                _Line(
                    label=label,
                    is_word=column in _LISTS_OF_WORDS and weighed.statement is not None,
                    values=(own, *others),
                )
            )
    return found


def _value(statement: MemberStatement, column: MemberColumn) -> str | date | None:
    text = field_text(statement, column)
    if text is None:
        return None
    if column in _DATES:
        return date.fromisoformat(text)
    return _LISTS_OF_WORDS.get(column, {}).get(text, text)
