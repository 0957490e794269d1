"""Use case: take organisations from a list into the register.

A tree makes sense as a whole only, so the list is taken as a whole or refused as a whole.
"""

from collections.abc import Iterable, Iterator

from issuer.domain.list_row import Finding, ListRow
from issuer.domain.organisation import Organisation, OrganisationTree
from issuer.domain.organisation_code import PRINTABLE_CODES, OrganisationCodeScheme
from issuer.domain.organisation_list import OrganisationColumn, judge_organisation_row
from issuer.errors import IssuerDataError
from issuer.services.import_outcome import RowOutcome, RowResult
from issuer.services.register_ports import Register

__all__ = ["import_organisations"]


def import_organisations(
    rows: Iterable[ListRow],
    *,
    register: Register,
    scheme: OrganisationCodeScheme = PRINTABLE_CODES,
) -> tuple[RowOutcome, ...]:
    """Take every organisation that is not in the register yet, in one transaction.

    Args:
        rows: the list.
        register: where organisations go.
        scheme: how codes of new organisations are built.

    Returns:
        One outcome a row. Where any row is refused, none is taken, and only the refused ones are returned.
    """
    judged: list[tuple[int, Organisation]] = []
    refused: list[RowOutcome] = []
    first_rows: dict[str, int] = {}
    for row in rows:
        result = judge_organisation_row(row, scheme=scheme)
        if not isinstance(result, Organisation):
            refused.append(_refused(row.number, result))
        elif (first := first_rows.setdefault(result.code, row.number)) != row.number:
            sentence = f"organisation {result.code} stands in row {first} already"
            refused.append(_refused_code(row.number, "organisation.repeated", sentence))
        else:
            judged.append((row.number, result))
    if refused:
        return tuple(refused)
    with register.writing() as transaction:
        known = {each.code: each for each in transaction.organisations.all()}
        gone = transaction.organisations.closed([each.code for _, each in judged])
        closed = tuple(
            _refused_code(
                number,
                "organisation.closed",
                f"organisation {each.code} was closed; codes are not used again",
            )
            for number, each in judged
            if each.code in gone
        )
        if closed:
            return closed
        differing = [
            _refused_code(
                number,
                "organisation.differs",
                f"organisation {each.code} is in the register with another name, parent or number",
            )
            for number, each in judged
            if each.code in known and known[each.code] != each
        ]
        if differing:
            return tuple(differing)
        new = [(number, each) for number, each in judged if each.code not in known]
        tree = OrganisationTree([*known.values(), *(each for _, each in new)])
        broken = tuple(_judge_paths(new, tree))
        if broken:
            return broken
        transaction.organisations.add(
            sorted((each for _, each in new), key=lambda each: len(tree.path(each.code)))
        )
    return tuple(
        RowOutcome(row=number, result=RowResult.PRESENT if each.code in known else RowResult.TAKEN)
        for number, each in judged
    )


def _judge_paths(
    new: Iterable[tuple[int, Organisation]], tree: OrganisationTree
) -> Iterator[RowOutcome]:
    """A refusal for every row from which no top-most organisation can be reached."""
    for number, organisation in new:
        try:
            tree.path(organisation.code)
        except IssuerDataError as error:
            yield _refused_code(number, error.code, str(error))


def _refused_code(row: int, code: str, sentence: str) -> RowOutcome:
    column = (
        OrganisationColumn.CODE
        if code in ("organisation.repeated", "organisation.differs", "organisation.closed")
        else OrganisationColumn.PARENT_CODE
    )
    return _refused(row, (Finding(row=row, column=column, code=code, sentence=sentence),))


def _refused(row: int, findings: tuple[Finding, ...]) -> RowOutcome:
    return RowOutcome(row=row, result=RowResult.REFUSED, findings=findings)
