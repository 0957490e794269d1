"""Use case: one new organisation, from a day on; whole trees come as lists (``import_organisations``)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from issuer.domain.list_row import ListRow
from issuer.domain.member_change import BrokenRulesError
from issuer.domain.organisation import MAX_DEPTH, Organisation, OrganisationCode
from issuer.domain.organisation_code import OrganisationCodeScheme
from issuer.domain.organisation_history import OrganisationVersion
from issuer.domain.organisation_list import (
    JudgedOrganisation,
    OrganisationColumn,
    judge_organisation_row,
)
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.change_members import Justification
from issuer.services.change_organisations import act_of, append_change
from issuer.services.register_ports import EvidenceStore, Register, RegisterTransaction

__all__ = ["AddingOfOrganisations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddingOfOrganisations:
    """Everything that it needs from the world.

    Attributes:
        register: where organisations are.
        evidence: where the documents are that changes rest on.
        scheme: how codes of new organisations are built.
        clock: gives aware UTC.
    """

    register: Register
    evidence: EvidenceStore
    scheme: OrganisationCodeScheme
    clock: Callable[[], datetime]

    def add(
        self, cells: Mapping[OrganisationColumn, str], *, actor: Actor, why: Justification
    ) -> OrganisationVersion:
        """Record an organisation that the register has not had yet.

        Args:
            cells: what a list's row would hold.
            actor: who; needs ``organisations.write`` where it hangs, for a top-most one in the whole register.
            why: the reason, and the document where there is one.

        Raises:
            BrokenRulesError: a cell breaks a rule of form.
            IssuerDataError: the one above is not there (``organisation.unknown``); ``change.reason``, ``evidence.*``.
            IssuerRefusedError: no right; the code is another one's (``organisation.repeated``,
                ``organisation.closed``); ``organisation.future``, ``organisation.too-deep``.
            ConflictError: somebody else took the code meanwhile.
        """
        row = ListRow(number=1, cells={each.value: text for each, text in cells.items()})
        judged = judge_organisation_row(row, scheme=self.scheme)
        if not isinstance(judged, JudgedOrganisation):
            raise BrokenRulesError(judged)
        new = judged.organisation
        act = act_of(actor, why, at=self.clock())
        if judged.valid_from is not None and judged.valid_from > act.at.date():
            raise IssuerRefusedError(
                f"the organisation would begin on {judged.valid_from}, which is in the future",
                code="organisation.future",
                hint="record it when it has happened",
            )
        if why.evidence is not None:
            with self.register.reading() as transaction:
                # The document of what is refused anyhow would be kept for nobody.
                _judge(transaction, judged, actor, act.at)
            act = replace(act, evidence=self.evidence.put(why.evidence))
        with self.register.writing() as transaction:
            _judge(transaction, judged, actor, act.at)
            days = {} if judged.valid_from is None else {new.code: judged.valid_from}
            transaction.organisations.add([new], valid_from=days, act=act)
            version = transaction.organisations.current(new.code)
            append_change(transaction, version, act)
        return version


def _judge(
    transaction: RegisterTransaction, judged: JudgedOrganisation, actor: Actor, at: datetime
) -> None:
    _judge_place(transaction, judged, actor, at)
    _require_new(transaction, judged.organisation)


def _judge_place(
    transaction: RegisterTransaction, judged: JudgedOrganisation, actor: Actor, at: datetime
) -> None:
    """Whether it may hang there: by right, by the day on which the one above began, and by depth."""
    parent = judged.organisation.parent_code
    place: tuple[OrganisationCode, ...] = ()
    if parent is not None:
        place = transaction.organisations.around([parent]).place(parent)
    actor.demand(Right.WRITE_ORGANISATIONS, place=place, now=at)
    if parent is None:
        return
    if len(place) + 1 > MAX_DEPTH:
        raise IssuerRefusedError(
            f"the tree would have {len(place) + 1} levels, expected at most {MAX_DEPTH}",
            code="organisation.too-deep",
        )
    (first,) = transaction.organisations.history(parent, limit=1, behind=2)
    begun = judged.valid_from
    if first.valid_from is not None and begun is not None and begun < first.valid_from:
        raise IssuerRefusedError(
            f"organisation {parent} began on {first.valid_from}, which is after {begun}",
            code="organisation.order",
        )


def _require_new(transaction: RegisterTransaction, new: Organisation) -> None:
    """Codes are given once: not even that of a closed organisation is free again."""
    try:
        present = transaction.organisations.current(new.code)
    except IssuerDataError:
        return
    if not present.is_open:
        raise IssuerRefusedError(
            f"organisation {new.code} was closed; codes are not used again",
            code="organisation.closed",
        )
    raise IssuerRefusedError(
        f"organisation {new.code} is in the register already", code="organisation.repeated"
    )
