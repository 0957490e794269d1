"""Bundles as bytes: one canonical JSON document and its attachments, in DER; what is read is written again and compared.

What stands in the document is for ``issuer.services`` to judge.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat import asn1
from pydantic import ValidationError

from issuer.domain.bundle import MAX_ATTACHMENT_BYTES, Bundle, BundleRequest
from issuer.domain.instance_report import (
    MAX_REPORT_LINES,
    MAX_REPORT_REASONS,
    InstanceReport,
)
from issuer.errors import IssuerDataError
from issuer.exchange.bundle_models import (
    BundleDocument,
    RequestDocument,
    bundle_of,
    document_of,
    request_document_of,
    request_of,
)
from issuer.exchange.report_models import report_document_of

__all__ = [
    "bundle_from_bytes",
    "bundle_to_bytes",
    "reports_digest",
    "request_from_bytes",
    "request_to_bytes",
]

_FORMAT: Final = 1
_OWN_NAME: Final = re.compile(r"[a-z_]{1,30}")
_MAX_DOCUMENT_BYTES: Final = 15 * 1024 * 1024


@asn1.sequence
class _BundleFile:
    version: int
    document: bytes
    attachments: list[bytes]


def bundle_to_bytes(bundle: Bundle) -> bytes:
    """The one encoding of a bundle."""
    return asn1.encode_der(
        _BundleFile(
            version=_FORMAT,
            document=document_of(bundle).model_dump_json().encode(),
            attachments=[bundle.attachments[each] for each in sorted(bundle.attachments)],
        )
    )


def bundle_from_bytes(content: bytes) -> Bundle:
    """Read what ``bundle_to_bytes`` writes, and nothing else.

    Raises:
        IssuerDataError: ``bundle.malformed``; the sentence tells the place, and never what stands there.
    """
    try:
        file = asn1.decode_der(_BundleFile, content)
    except (ValueError, OverflowError) as error:
        raise _malformed("it is no DER of a bundle") from error
    if len(file.document) > _MAX_DOCUMENT_BYTES:
        raise _malformed(f"its document has {len(file.document)} bytes")
    try:
        document = BundleDocument.model_validate_json(file.document)
    except (ValidationError, RecursionError) as error:
        place = (
            error.errors(include_input=False)[0]["loc"]
            if isinstance(error, ValidationError)
            else ()
        )
        raise _malformed(
            f"its document is wrong at {'.'.join(map(_told, place))[:200] or 'its root'}"
        ) from error
    attachments = {hashlib.sha256(each).digest(): each for each in file.attachments}
    if sum(map(len, attachments.values())) > MAX_ATTACHMENT_BYTES:
        raise _malformed("its attachments are too large")
    bundle = bundle_of(document, attachments)
    if bundle_to_bytes(bundle) != content:
        raise _malformed("it is not in the one encoding")
    _check_references(bundle)
    return bundle


def _told(part: int | str) -> str:
    """One step to a place in the document; a name that cannot be one of ours is what stands there, and not told."""
    return str(part) if isinstance(part, int) or _OWN_NAME.fullmatch(part) else "*"


def _check_references(bundle: Bundle) -> None:
    """Nothing stands twice, nothing is named that is not there, and nothing is there that is not named."""
    for what, ids in (
        ("members", [each.member_id for each in bundle.members]),
        ("requests", [each.request_id for each in bundle.requests]),
        ("decisions", [each.decision_id for each in bundle.decisions]),
        ("blocks", [each.block_id for each in bundle.blocks]),
        ("index sets", [each.set_id for each in bundle.index_sets]),
        ("reports", [(each.instance, each.organisation) for each in bundle.reports]),
    ):
        if len(set(ids)) != len(ids):
            raise _malformed(f"one of its {what} stands twice")
    pictures = {each.portrait for each in bundle.members if each.portrait is not None}
    named = pictures | {each.document for each in bundle.decisions}
    if named != set(bundle.attachments):
        raise _malformed("its attachments are not those that it names")
    decisions = {each.decision_id for each in bundle.decisions}
    if any(
        each.decision_id is not None and each.decision_id not in decisions
        for each in bundle.requests
    ):
        raise _malformed("a request names a decision that is not there")
    since = bundle.full_since
    if (since is None and bundle.is_full_end) or (since is not None and since > bundle.sequence):
        raise _malformed("a full statement ends that did not begin")
    for each in bundle.index_sets:
        if list(each.indices) != sorted(set(each.indices)) or each.indices[-1] >= each.size:
            raise _malformed("indices do not ascend, or lie beyond their list")
    _check_reports(bundle.reports)


def _check_reports(reports: Sequence[InstanceReport]) -> None:
    """They are no longer than anybody's, and each agrees with itself."""
    if sum(len(each.lines) for each in reports) > MAX_REPORT_LINES:
        raise _malformed("its reports are too long")
    if sum(each.reasons for each in reports) > MAX_REPORT_REASONS:
        raise _malformed("its reports tell too many reasons apart")
    if not all(each.is_sound for each in reports):
        raise _malformed("a report is no tree, or counts more than all")


def reports_digest(reports: Sequence[InstanceReport]) -> bytes:
    """SHA-256 of what reports state: what was told already is not told again."""
    told = hashlib.sha256()
    for each in reports:
        told.update(report_document_of(each).model_dump_json().encode())
    return told.digest()


def request_to_bytes(request: BundleRequest) -> bytes:
    """One request by itself, as it is kept until somebody has decided on it."""
    return request_document_of(request).model_dump_json().encode()


def request_from_bytes(content: bytes) -> BundleRequest:
    """Read what ``request_to_bytes`` writes.

    Raises:
        IssuerDataError: ``bundle.malformed``.
    """
    try:
        return request_of(RequestDocument.model_validate_json(content))
    except ValidationError as error:
        raise _malformed("a request that was kept is none") from error


def _malformed(reason: str) -> IssuerDataError:
    return IssuerDataError(f"the bundle cannot be read: {reason}", code="bundle.malformed")
