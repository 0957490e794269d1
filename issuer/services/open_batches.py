"""Use case: choose what a batch is opened for: a decision, a receiving committee below it, and see who would go in."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from issuer.domain.audit_reads import members_listed
from issuer.domain.decisions import Decision, DecisionId, DecisionState
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode, OrganisationTree
from issuer.domain.rights import Actor, Right
from issuer.domain.vietnamese_text import fold
from issuer.errors import IssuerRefusedError
from issuer.services.batch_desk import BatchDesk, demand_at
from issuer.services.opening_ports import MOST_WAITING, DecisionQuestion, WaitingRequest
from issuer.services.places import Places
from issuer.services.register_ports import RegisterTransaction

__all__ = [
    "BatchOpening",
    "DecisionChoice",
    "DecisionChoices",
    "OpeningPreview",
    "ReceiverChoice",
    "ReceiverChoices",
]

_SHOWN_RECEIVERS: Final = 100
_SHOWN_REQUESTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionChoice:
    """A decision, and how many of its requests wait for a batch in one's part of the tree: ``MOST_WAITING`` says more."""

    decision: Decision
    committee_name: str
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionChoices:
    """One page, the newest first; ``end`` is ``None`` on the last one."""

    decisions: tuple[DecisionChoice, ...]
    end: DecisionId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverChoice:
    """A committee that may receive a batch; ``waiting`` counts members at and below it, ``depth`` its levels below."""

    code: OrganisationCode
    name: str
    depth: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverChoices:
    """The committees with waiting requests, from the top down; ``left_out`` were too many to be shown."""

    decision: Decision
    receivers: tuple[ReceiverChoice, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningPreview:
    """Who would go into a batch: the first of them, with names for those who may read members there."""

    decision: Decision
    receiver: OrganisationCode
    receiver_name: str
    waiting: int
    requests: tuple[WaitingRequest, ...]
    names: Mapping[MemberId, str]
    organisations: Mapping[OrganisationCode, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOpening:
    """Shows what batches could be opened for, to those who may freeze batches somewhere."""

    desk: BatchDesk

    def decisions(
        self, *, actor: Actor, limit: int, text: str = "", behind: DecisionId | None = None
    ) -> DecisionChoices:
        """Confirmed decisions that reach into one's part of the tree, by a piece of their number where one is given.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        roots = self._roots(actor)
        with self.desk.register.reading() as transaction:
            above: frozenset[OrganisationCode] = frozenset()
            if roots is not None:
                tree = transaction.organisations.around(roots)
                above = frozenset(
                    code for each in roots if each in tree for code in tree.place(each)
                )
            found = transaction.openings.decisions(
                DecisionQuestion(below=roots, above=above, text=text.strip() or None),
                limit=limit + 1,
                behind=behind,
            )
            shown = found[:limit]
            committees = {
                each.committee: transaction.organisations.get(each.committee).name for each in shown
            }
            return DecisionChoices(
                decisions=tuple(
                    DecisionChoice(
                        decision=each,
                        committee_name=committees[each.committee],
                        waiting=transaction.openings.waiting(each.decision_id, below=roots),
                    )
                    for each in shown
                ),
                end=shown[-1].decision_id if len(found) > limit else None,
            )

    def receivers(
        self, decision_id: DecisionId, *, actor: Actor, text: str = ""
    ) -> ReceiverChoices:
        """The committees below the deciding one under which requests wait, by a piece of name or code where one is given.

        Raises:
            IssuerRefusedError: ``right.missing``, ``decision.unknown``, ``decision.wrong-state``.
        """
        roots = self._roots(actor)
        with self.desk.register.reading() as transaction:
            decision = _confirmed(transaction, decision_id)
            own = transaction.openings.waiting_by_organisation(decision_id, below=roots)
            tree = transaction.organisations.around(own)
        counts: Counter[OrganisationCode] = Counter()
        for code, waiting in own.items():
            for above in _way_down(tree, code, decision.committee, roots):
                counts[above] += waiting
        wanted = fold(text.strip())
        found = [
            ReceiverChoice(
                code=code,
                name=tree.get(code).name,
                depth=len(tree.place(code)),
                waiting=waiting,
            )
            for code, waiting in counts.items()
            if wanted in fold(tree.get(code).name) or wanted in fold(code)
        ]
        found.sort(key=lambda each: tree.place(each.code))
        top = min((each.depth for each in found), default=0)
        return ReceiverChoices(
            decision=decision,
            receivers=tuple(
                ReceiverChoice(
                    code=each.code,
                    name=each.name,
                    depth=each.depth - top,
                    waiting=each.waiting,
                )
                for each in found[:_SHOWN_RECEIVERS]
            ),
            left_out=max(0, len(found) - _SHOWN_RECEIVERS),
        )

    def preview(
        self, decision_id: DecisionId, receiver: OrganisationCode, *, actor: Actor
    ) -> OpeningPreview:
        """Who would go into a batch of this decision for this committee; whom it names is said to the audit trail.

        Raises:
            IssuerRefusedError: ``right.missing``, ``decision.unknown``, ``decision.wrong-state``; the receiver is not
                below the committee that decided (``batch.other-receiver``).
            IssuerDataError: ``organisation.unknown``.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            demand_at(self.desk, transaction, actor, receiver, Right.FREEZE_BATCHES)
            decision = _confirmed(transaction, decision_id)
            place = Places(transaction.organisations).of(receiver)
            if decision.committee not in place:
                raise IssuerRefusedError(
                    f"organisation {receiver} is not below {decision.committee}, which decided",
                    code="batch.other-receiver",
                )
            found = transaction.openings.requests(decision_id, receiver, limit=_SHOWN_REQUESTS)
            waiting = (
                len(found)
                if len(found) < _SHOWN_REQUESTS
                else transaction.openings.waiting(decision_id, below={receiver})
            )
            tree = transaction.organisations.around({each.organisation for each in found})
            names: dict[MemberId, str] = {}
            if actor.may(Right.READ_MEMBERS, place=place):
                ids = [each.member_id for each in found]
                names = {
                    each.member_id: each.statement.name.full
                    for each in transaction.members.several(ids)
                }
                for record in members_listed(
                    ids, account=actor.account, organisation=receiver, at=now
                ):
                    transaction.audit.append(record)
            return OpeningPreview(
                decision=decision,
                receiver=receiver,
                receiver_name=transaction.organisations.get(receiver).name,
                waiting=min(waiting, MOST_WAITING),
                requests=found,
                names=names,
                organisations={
                    each: tree.get(each).name
                    for each in {request.organisation for request in found}
                    if each in tree
                },
            )

    @staticmethod
    def _roots(actor: Actor) -> frozenset[OrganisationCode] | None:
        roots = actor.roots(Right.FREEZE_BATCHES)
        if roots is not None and not roots:
            raise IssuerRefusedError(
                f"account {actor.account} has no right {Right.FREEZE_BATCHES} anywhere",
                code="right.missing",
            )
        return roots


def _confirmed(transaction: RegisterTransaction, decision_id: DecisionId) -> Decision:
    decision = transaction.decisions.get(decision_id)
    if decision.state is not DecisionState.CONFIRMED:
        raise IssuerRefusedError(
            f"the decision is {decision.state}, expected a confirmed one",
            code="decision.wrong-state",
        )
    return decision


def _way_down(
    tree: OrganisationTree,
    code: OrganisationCode,
    committee: OrganisationCode,
    roots: frozenset[OrganisationCode] | None,
) -> tuple[OrganisationCode, ...]:
    """The committees that could receive the cards of members recorded there: below the decision's, in one's part."""
    if code not in tree:
        return ()
    place = tree.place(code)
    return tuple(
        each
        for number, each in enumerate(place, start=1)
        if committee in place[:number] and (roots is None or not roots.isdisjoint(place[:number]))
    )
