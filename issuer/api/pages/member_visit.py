"""One person at the pages of one act with one member: what they saw, and how they are told what does not go."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from fastapi import Request, Response

from issuer.api.gate import Caller
from issuer.api.languages import Language
from issuer.api.member_acts import hiding_unreadable
from issuer.api.member_routes import MemberDocument
from issuer.api.pages import card_words, member_words, words
from issuer.api.pages.form_keys import problem_words
from issuer.api.pages.rendering import language_of, render
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.domain.list_row import Finding
from issuer.domain.member import MemberId
from issuer.domain.member_change import BrokenRulesError, FieldChange
from issuer.domain.organisation import OrganisationCode
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.weighed_changes import SeenMember, WeighedChange

__all__ = ["ELSEWHERE", "MemberVisit", "Told", "form_status", "version_of"]

Told = IssuerDataError | IssuerRefusedError
ELSEWHERE: Final = frozenset({"right.step-up-needed", "session.ended", "member.unknown"})
"""Refusals that lead to another page than the form's."""

_MAX_VERSION_DIGITS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberVisit:
    """Who asks, at what, about whom; ``act`` is the word by which the console names it."""

    request: Request
    services: ApiServices
    caller: Caller
    member_id: uuid.UUID
    act: str

    @property
    def address(self) -> str:
        """Of the member's page."""
        return f"/members/{self.member_id}"

    def look(self, version: int | None = None) -> SeenMember:
        """The member, and what the reader saw before.

        Raises:
            IssuerRefusedError, ConflictError: as ``ChangeOfMembers.look``; ``member.unknown``.
        """
        with hiding_unreadable(self.services, self.caller, self.member_id):
            return self.services.changes.look(
                MemberId(self.member_id), actor=self.caller.actor, version=version
            )

    def tell(self, finding: Finding) -> str:
        """What is wrong with a field, in the reader's language."""
        if language_of(self.request) is Language.VIETNAMESE:
            return self.services.finding_in_vietnamese(finding.code)
        return finding.sentence

    def page(self, template: str, *, error: Told | None, **context: object) -> Response:
        """A page of the act."""
        told = problem_words(error)
        if error is not None and error.code in member_words.REFUSALS:
            told["remedy"] = member_words.REFUSALS[error.code]
        elif isinstance(error, BrokenRulesError):
            told["remedy"] = member_words.WRONG_FIELDS
        return render(
            self.request,
            template,
            caller=self.caller,
            status=200 if error is None else form_status(error),
            act=self.act,
            home=self.address,
            words=words,
            own=member_words,
            **context,
            **told,
        )

    def check_page(
        self,
        template: str,
        weighed: WeighedChange,
        fields: Mapping[str, str],
        *,
        carried: Mapping[str, str],
        error: Told | None,
        **context: object,
    ) -> Response:
        """What the act would change and mean, and the form that asks why."""
        return self.page(
            template,
            error=error,
            member=MemberDocument.of(weighed.member, scheme=self.services.scheme),
            version=weighed.member.version,
            carried=carried,
            reason=fields.get("reason", ""),
            changes=[self._shown(each) for each in weighed.changes],
            consequences=weighed.consequences,
            organisations=self.services.organisations.names(
                [
                    OrganisationCode(text)
                    for each in weighed.changes
                    if each.column.value in {"organisation_code", "served_in"}
                    for text in (each.old, each.new)
                    if text is not None
                ]
            ),
            is_weighty=weighed.after.standing.is_final
            and not weighed.member.statement.standing.is_final,
            display=self.services.scheme.display,
            card_words=card_words,
            **context,
        )

    def _shown(self, change: FieldChange) -> tuple[str, str, str]:
        column, scheme = change.column, self.services.scheme
        old, new = (
            member_words.shown_text(column, text, scheme) for text in (change.old, change.new)
        )
        return column.value, old, new


def version_of(fields: Mapping[str, str]) -> int:
    """The version that a form names.

    Raises:
        ApiError: ``api.request-invalid``.
    """
    text = fields.get("version", "")
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_VERSION_DIGITS):
        raise ApiError("the form names no version", code="api.request-invalid")
    return int(text)


def form_status(error: Told) -> int:
    """The form is there even where something that it names is not."""
    status = status_of(error)
    return int(HTTPStatus.UNPROCESSABLE_ENTITY if status is HTTPStatus.NOT_FOUND else status)
