"""Certificates and signed lists as files that caches may keep, and look-ups about them for operators."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from pki.api.caller import Reader, Services
from pki.api.documents import (
    CertificateDocument,
    CertificatePage,
    ListDocument,
    ListPage,
    PageQuery,
    TerminalDocument,
    TerminalPage,
)
from pki.api.problems import ApiError
from pki.keys.algorithms import HashAlgorithm
from pki.services.look_up import CertificateFilter
from pki.services.state import (
    CRL_SERIES,
    MASTER_LIST_SERIES,
    SERVICE_CRL_SERIES,
    STOP_LIST_SERIES,
)

__all__ = ["BINARY_ANSWER", "cacheable", "file_router"]

file_router = APIRouter(prefix="/v1", tags=["files"])

_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_FRESH: Final = "public, max-age=300, must-revalidate"
_CERTIFICATE: Final = "application/pkix-cert"
_CRL: Final = "application/pkix-crl"
_OTHER: Final = "application/octet-stream"
_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')

BINARY_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file.",
        "content": {_OTHER: {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "The client's copy is current."},
}


class Series(StrEnum):
    """The series of signed lists."""

    CRL = CRL_SERIES
    SERVICE_CRL = SERVICE_CRL_SERIES
    STOP_LIST = STOP_LIST_SERIES
    MASTER_LIST = MASTER_LIST_SERIES

    @property
    def media_type(self) -> str:
        """How a list of the series is labelled."""
        return _CRL if self in {Series.CRL, Series.SERVICE_CRL} else _OTHER


class CertificatePageQuery(PageQuery):
    """A page of certificates, of those that are alike where a value is given."""

    kind: str | None = Field(default=None, pattern=r"^[a-z-]{1,32}$", examples=["signer"])
    serial_number: str | None = Field(default=None, pattern=r"^[0-9a-f]{1,40}$")
    subject: str | None = Field(default=None, min_length=1, max_length=400)
    revoked: bool | None = None


Digest = Annotated[
    str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file.", examples=["00" * 32])
]


def cacheable(
    request: Request,
    content: bytes,
    *,
    media_type: str,
    is_immutable: bool = False,
    modified_at: datetime | None = None,
) -> Response:
    """A file with its validators, or 304 where the client's copy is current (RFC 9110, 13.2.2)."""
    tag = f'"{HashAlgorithm.SHA256.digest(content).hex()}"'
    headers = {"ETag": tag, "Cache-Control": _IMMUTABLE if is_immutable else _FRESH}
    if modified_at is not None:
        modified_at = modified_at.astimezone(UTC).replace(microsecond=0)
        headers["Last-Modified"] = format_datetime(modified_at, usegmt=True)
    if _is_current(request, tag, modified_at):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def _is_current(request: Request, tag: str, modified_at: datetime | None) -> bool:
    wanted = request.headers.get("if-none-match")
    if wanted is not None:
        return wanted.strip() == "*" or tag.strip('"') in _TAG.findall(wanted)
    since = request.headers.get("if-modified-since")
    if since is None or modified_at is None:
        return False
    try:
        moment = parsedate_to_datetime(since)
    except (ValueError, OverflowError):
        # A date that cannot be read counts as absent (RFC 9110, 13.1.3).
        return False
    return moment.tzinfo is not None and modified_at <= moment


def _not_found(what: str) -> ApiError:
    return ApiError(f"there is no {what}", code="api.not-found")


@file_router.get(
    "/files/{digest}",
    summary="A certificate, CV certificate or list by its digest",
    response_class=Response,
    responses=BINARY_ANSWER,
)
def file_by_digest(digest: Digest, request: Request, services: Services) -> Response:
    """A file that never changes, because its digest is its name."""
    services.catch_up()
    wanted = bytes.fromhex(digest)
    certificate = services.look_up.certificate(wanted)
    if certificate is not None:
        content, media_type = certificate.der, _CERTIFICATE
    elif (found := services.look_up.list_by_digest(wanted)) is not None:
        content, media_type = found.content, Series(found.series).media_type
    elif (cv_certificate := services.look_up.cv_certificate(wanted)) is not None:
        content, media_type = cv_certificate, _OTHER
    else:
        raise _not_found("file with that digest")
    return cacheable(request, content, media_type=media_type, is_immutable=True)


@file_router.get(
    "/lists/{series}",
    summary="The newest CRL, stop list or master list",
    response_class=Response,
    responses=BINARY_ANSWER,
)
def newest_list(series: Series, request: Request, services: Services) -> Response:
    """The newest list of a series, for whoever checks certificates."""
    services.catch_up()
    found = services.look_up.newest_list(series.value)
    if found is None:
        raise _not_found(f"list {series.value} yet")
    return cacheable(
        request, found.content, media_type=series.media_type, modified_at=found.issued_at
    )


@file_router.get("/lists/{series}/numbers", summary="The lists of a series, newest first")
def list_numbers(
    series: Series,
    query: Annotated[PageQuery, Query()],
    services: Services,
    _operator: Reader,
) -> ListPage:
    """A page of the lists of a series; each file is at /v1/files/{digest}."""
    found = services.look_up.lists(series.value, after=query.after, limit=query.limit)
    return ListPage(
        lists=[ListDocument.of(each) for each in found],
        next=found[-1].number if len(found) == query.limit else None,
    )


@file_router.get("/certificates", summary="Look certificates up")
def list_certificates(
    query: Annotated[CertificatePageQuery, Query()], services: Services, _operator: Reader
) -> CertificatePage:
    """A page of certificates with their status, newest first."""
    wanted = CertificateFilter(
        kind=query.kind,
        serial_number=query.serial_number,
        subject=query.subject,
        is_revoked=query.revoked,
    )
    found = services.look_up.certificates(wanted, after=query.after, limit=query.limit)
    return CertificatePage(
        certificates=[CertificateDocument.of(each) for each in found],
        next=found[-1].position if len(found) == query.limit else None,
    )


@file_router.get("/certificates/{digest}", summary="Show a certificate's status")
def show_certificate(digest: Digest, services: Services, _operator: Reader) -> CertificateDocument:
    """One certificate, and why it was revoked."""
    found = services.look_up.certificate(bytes.fromhex(digest))
    if found is None:
        raise _not_found("certificate with that digest")
    return CertificateDocument.of(found)


@file_router.get("/terminals", summary="Terminals and their standing", tags=["terminals"])
def list_terminals(
    query: Annotated[PageQuery, Query()], services: Services, _operator: Reader
) -> TerminalPage:
    """A page of terminals, by their newest certificates."""
    today = services.now().astimezone(UTC).date()
    found = services.look_up.terminals(after=query.after, limit=query.limit, today=today)
    return TerminalPage(
        terminals=[TerminalDocument.of(each) for each in found],
        next=found[-1].position if len(found) == query.limit else None,
    )
