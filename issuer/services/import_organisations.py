"""Use case: take organisations from a list into the register.

A tree makes sense as a whole only, so the list is taken as a whole or refused as a whole.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.list_row import Finding, ListRow
from issuer.domain.organisation import Organisation, OrganisationCode, OrganisationTree
from issuer.domain.organisation_code import PRINTABLE_CODES, OrganisationCodeScheme
from issuer.domain.organisation_history import OrganisationAct
from issuer.domain.organisation_list import (
    JudgedOrganisation,
    OrganisationColumn,
    judge_organisation_row,
)
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerDataError
from issuer.services.import_outcome import RowOutcome, RowResult
from issuer.services.register_ports import Register

__all__ = ["import_organisations"]

_REASON: Final = "list of organisations"
_OF_THE_ROW: Final = frozenset(
    {"organisation.repeated", "organisation.differs", "organisation.closed"}
)
_Judged = tuple[int, JudgedOrganisation]


def import_organisations(
    rows: Iterable[ListRow],
    *,
    register: Register,
    actor: Actor,
    now: datetime,
    scheme: OrganisationCodeScheme = PRINTABLE_CODES,
) -> tuple[RowOutcome, ...]:
    """Take every organisation that is not in the register yet, in one transaction.

    Args:
        rows: the list.
        register: where organisations go.
        actor: who brings it; needs ``organisations.write`` wherever a new organisation hangs.
        now: aware UTC.
        scheme: how codes of new organisations are built.

    Returns:
        One outcome a row. Where any row is refused, none is taken, and only the refused ones are returned.

    Raises:
        IssuerRefusedError: the actor has no right (``right.missing``).
    """
    judged, refused = _judge_rows(rows, scheme)
    if refused:
        return refused
    with register.writing() as transaction:
        organisations = transaction.organisations
        known = {each.code: each for each in organisations.all()}
        gone = organisations.closed([each.organisation.code for _, each in judged])
        contradicted = tuple(_contradictions(judged, known, gone))
        if contradicted:
            return contradicted
        new = [(number, each) for number, each in judged if each.organisation.code not in known]
        added = [each.organisation for _, each in new]
        tree = OrganisationTree([*known.values(), *added])
        broken = tuple(_judge_paths(new, tree))
        if broken:
            return broken
        if new:
            _demand(added, known, tree, actor, now)
            organisations.add(
                sorted(added, key=lambda each: len(tree.path(each.code))),
                valid_from={
                    each.organisation.code: each.valid_from
                    for _, each in new
                    if each.valid_from is not None
                },
                act=OrganisationAct(at=now, account=actor.account, reason=_REASON),
            )
            transaction.audit.append(_audit_record(added, actor, now))
    return tuple(
        RowOutcome(
            row=number,
            result=RowResult.PRESENT if each.organisation.code in known else RowResult.TAKEN,
        )
        for number, each in judged
    )


def _judge_rows(
    rows: Iterable[ListRow], scheme: OrganisationCodeScheme
) -> tuple[list[_Judged], tuple[RowOutcome, ...]]:
    judged: list[_Judged] = []
    refused: list[RowOutcome] = []
    first_rows: dict[str, int] = {}
    for row in rows:
        result = judge_organisation_row(row, scheme=scheme)
        if not isinstance(result, JudgedOrganisation):
            refused.append(_refused(row.number, result))
            continue
        code = result.organisation.code
        if (first := first_rows.setdefault(code, row.number)) != row.number:
            sentence = f"organisation {code} stands in row {first} already"
            refused.append(_refused_code(row.number, "organisation.repeated", sentence))
        else:
            judged.append((row.number, result))
    return judged, tuple(refused)


def _contradictions(
    judged: Iterable[_Judged],
    known: Mapping[OrganisationCode, Organisation],
    gone: frozenset[OrganisationCode],
) -> Iterator[RowOutcome]:
    """A refusal for every row that the register states otherwise."""
    for number, each in judged:
        stated = each.organisation
        present = known.get(stated.code)
        if stated.code in gone:
            sentence = f"organisation {stated.code} was closed; codes are not used again"
            yield _refused_code(number, "organisation.closed", sentence)
        elif present is not None and stated != (
            # A list that says nothing of levels contradicts none.
            replace(present, level=None) if stated.level is None else present
        ):
            yield _refused_code(
                number,
                "organisation.differs",
                f"organisation {stated.code} is in the register with another name, parent, number or level",
            )


def _judge_paths(new: Iterable[_Judged], tree: OrganisationTree) -> Iterator[RowOutcome]:
    """A refusal for every row from which no top-most organisation can be reached."""
    for number, each in new:
        try:
            tree.path(each.organisation.code)
        except IssuerDataError as error:
            yield _refused_code(number, error.code, str(error))


def _demand(
    added: Iterable[Organisation],
    known: Mapping[OrganisationCode, Organisation],
    tree: OrganisationTree,
    actor: Actor,
    now: datetime,
) -> None:
    """The right is needed where each new part of the tree hangs; for a top-most one, in the whole register."""
    hooks = {
        each.parent_code for each in added if each.parent_code is None or each.parent_code in known
    }
    for hook in hooks:
        place = () if hook is None else tree.place(hook)
        actor.demand(Right.WRITE_ORGANISATIONS, place=place, now=now)


def _audit_record(added: Iterable[Organisation], actor: Actor, now: datetime) -> AuditRecord:
    codes = sorted(each.code for each in added)
    return AuditRecord(
        at=now,
        account=actor.account,
        action="organisations.imported",
        subject=AuditSubject.SERVICE,
        subject_id="register",
        details={
            "count": len(codes),
            "codes_digest": hashlib.sha256("\n".join(codes).encode("ascii")).hexdigest(),
        },
    )


def _refused_code(row: int, code: str, sentence: str) -> RowOutcome:
    column = OrganisationColumn.CODE if code in _OF_THE_ROW else OrganisationColumn.PARENT_CODE
    return _refused(row, (Finding(row=row, column=column, code=code, sentence=sentence),))


def _refused(row: int, findings: tuple[Finding, ...]) -> RowOutcome:
    return RowOutcome(row=row, result=RowResult.REFUSED, findings=findings)
