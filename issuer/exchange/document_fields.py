"""Fields that the documents of bundles have in common: each knows no other form than the one that is written."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from issuer.domain.instances import MAX_SEQUENCE, parse_instance_name
from issuer.domain.organisation import parse_organisation_code
from issuer.errors import IssuerDataError

__all__ = ["Code", "Count", "DocumentModel", "Moment", "Name", "checked"]


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None or moment.utcoffset() != UTC.utcoffset(None):
        raise ValueError("not in UTC")
    return moment.astimezone(UTC)


def checked(parse: Callable[[str], object]) -> AfterValidator:
    """A text that ``parse`` takes, kept as it is written."""

    def check(text: str) -> str:
        try:
            parse(text)
        except IssuerDataError as error:
            raise ValueError(error.code) from error
        return text

    return AfterValidator(check)


Moment = Annotated[datetime, AfterValidator(_in_utc)]
Code = Annotated[str, checked(parse_organisation_code)]
Name = Annotated[str, checked(parse_instance_name)]
Count = Annotated[int, Field(ge=0, le=MAX_SEQUENCE)]


class DocumentModel(BaseModel):
    """Knows no other names than its own, and converts nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
