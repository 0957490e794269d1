"""Instances over HTTP: other offices' registers, whose bundles are believed once two people have said so."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from issuer.api import instance_acts
from issuer.api.bundle_documents import (
    NAME_PATTERN,
    BlockBody,
    ConfirmInstanceBody,
    IndicesBody,
    InstanceDocument,
    InstancesDocument,
    InstanceViewDocument,
    MadeBundleDocument,
    NothingBody,
    RecoverBody,
)
from issuer.api.bundle_routes import Exchanger, exchange_desk
from issuer.api.cursors import CursorScope
from issuer.api.entity_tags import MatchHeader, require_match, tagged
from issuer.api.gate import Caller, Demand, Services
from issuer.api.once import KeyHeader, answer_of
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.api.upload_forms import form_of
from issuer.domain.instances import (
    ExchangeCertificates,
    InstanceName,
    Side,
    parse_instance_name,
)
from issuer.domain.rights import Right
from issuer.errors import IssuerDataError

__all__ = [
    "InstanceEnroller",
    "InstancePath",
    "InstanceReader",
    "NumberGiver",
    "ProposalForm",
    "SequencePath",
    "bundle_file",
    "instance_page",
    "instance_router",
    "proposal_of",
]

instance_router = APIRouter(prefix="/v1/instances", tags=["instances"])

InstanceReader = Annotated[Caller, Depends(Demand(Right.READ_ORGANISATIONS))]
InstanceEnroller = Annotated[Caller, Depends(Demand(Right.OPERATE_SERVICE))]
NumberGiver = Annotated[Caller, Depends(Demand(Right.ALLOT_NUMBERS))]
InstancePath = Annotated[str, Path(pattern=NAME_PATTERN, examples=["xa-mau"])]
SequencePath = Annotated[int, Path(ge=1, le=2**53 - 1)]

MAX_CERTIFICATE_BYTES: Final = 65_536
_FIELDS: Final = ("name", "side", "organisation")
_FILES: Final = ("signer_certificate", "certificate")
_MAX_FIELDS: Final = 4
_BUNDLE: Final = "application/octet-stream"
_FORM: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [*_FIELDS, *_FILES],
                    "properties": {
                        "name": {"type": "string", "pattern": NAME_PATTERN},
                        "side": {"type": "string", "enum": [each.value for each in Side]},
                        "organisation": {"type": "string", "minLength": 1, "maxLength": 32},
                    }
                    | {each: {"type": "string", "format": "binary"} for each in _FILES},
                }
            }
        },
    }
}
_ENCODED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {_BUNDLE: {"schema": {"type": "string", "format": "binary"}}}}
}


class ProposalForm:
    """What a form says of an instance that is proposed; its certificates are judged by the use case."""

    def __init__(self, fields: dict[str, str], certificates: ExchangeCertificates | None) -> None:
        self.fields = fields
        self._certificates = certificates

    @property
    def name(self) -> InstanceName:
        """Its name.

        Raises:
            IssuerDataError: ``instance.name-malformed``.
        """
        return parse_instance_name(self.fields.get("name", "").strip())

    @property
    def side(self) -> Side:
        """Where it stands.

        Raises:
            ApiError: ``api.request-invalid``.
        """
        text = self.fields.get("side", "")
        if text not in set(Side):
            raise ApiError("the form names no side", code="api.request-invalid")
        return Side(text)

    @property
    def organisation(self) -> str:
        """The code of its organisation."""
        return self.fields.get("organisation", "").strip()

    @property
    def certificates(self) -> ExchangeCertificates:
        """Its two certificates.

        Raises:
            IssuerDataError: they are not both there (``exchange.certificate``).
        """
        if self._certificates is None:
            raise IssuerDataError(
                f"the form has not both files {', '.join(_FILES)} of at most {MAX_CERTIFICATE_BYTES} bytes",
                code="exchange.certificate",
            )
        return self._certificates


async def proposal_of(form: FormData) -> ProposalForm:
    """What a form proposes."""
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    found: list[bytes] = []
    for name in _FILES:
        upload = form.get(name)
        content = (
            await upload.read(MAX_CERTIFICATE_BYTES + 1) if isinstance(upload, UploadFile) else b""
        )
        if 0 < len(content) <= MAX_CERTIFICATE_BYTES:
            found.append(content)
    certificates = (
        ExchangeCertificates(signer=found[0], receiver=found[1])
        if len(found) == len(_FILES)
        else None
    )
    return ProposalForm(fields, certificates)


def instance_page(caller: Caller, services: ApiServices, query: ListQuery) -> InstancesDocument:
    """A page of instances.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerRefusedError: ``exchange.not-installed``.
    """
    desk = exchange_desk(services)
    scope = CursorScope(listing="instances", account=caller.actor.account)
    behind = None
    if query.cursor is not None:
        behind = InstanceName(services.cursors.open(query.cursor, scope).decode())
    page = desk.looking.page(actor=caller.actor, limit=query.limit, behind=behind)
    return InstancesDocument(
        own=desk.own.name,
        organisation=desk.own.organisation,
        instances=[InstanceDocument.of(each) for each in page.instances],
        next=None if page.end is None else services.cursors.seal(page.end.encode(), scope),
    )


def bundle_file(
    caller: Caller, services: ApiServices, name: InstanceName, sequence: int
) -> Response:
    """A bundle that was made, as the file that only the other instance can open."""
    desk = exchange_desk(services)
    made = desk.exporting.again(name, sequence, actor=caller.actor)
    return Response(
        made.content,
        media_type=_BUNDLE,
        headers={
            "Content-Disposition": f'attachment; filename="{desk.own.name}-{name}-{sequence:08}.bundle"',
            "Cache-Control": "no-store",
        },
    )


@instance_router.get("", summary="List the instances")
def list_instances(
    query: Annotated[ListQuery, Query()], services: Services, caller: InstanceReader
) -> InstancesDocument:
    """Those of one's own part of the tree, by their names."""
    return instance_page(caller, services, query)


@instance_router.post(
    "",
    summary="Propose an instance",
    response_model=InstanceDocument,
    status_code=201,
    openapi_extra=_FORM,
)
async def propose_instance(
    request: Request, services: Services, caller: InstanceEnroller, key: KeyHeader
) -> Response:
    """A new one, or new certificates for one that is known; another person confirms it."""
    async with form_of(request, max_files=len(_FILES), max_fields=_MAX_FIELDS) as form:
        proposal = await proposal_of(form)

    def work() -> Response:
        return answer_of(
            instance_acts.propose_instance_once(
                services,
                caller,
                proposal.name,
                side=proposal.side,
                organisation=proposal.organisation,
                certificates=proposal.certificates,
                key=key,
            )
        )

    return await run_in_threadpool(work)


@instance_router.get("/{name}", summary="Show an instance", response_model=InstanceViewDocument)
def show_instance(
    name: InstancePath, request: Request, services: Services, caller: InstanceReader
) -> Response:
    """With the blocks of numbers and the sets of indices that it was given."""
    return tagged(request, instance_acts.shown_instance(caller, services, InstanceName(name)))


@instance_router.post(
    "/{name}/confirmation", summary="Enrol an instance", response_model=InstanceDocument
)
def confirm_instance(
    name: InstancePath,
    body: ConfirmInstanceBody,
    *,
    services: Services,
    caller: InstanceEnroller,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """By another person than whoever proposed it, who has compared the fingerprint with the other office."""
    known = InstanceName(name)

    def as_read() -> None:
        require_match(if_match, instance_acts.shown_instance(caller, services, known))

    return answer_of(
        instance_acts.confirm_instance_once(
            services, caller, known, body, key=key, precondition=as_read
        )
    )


@instance_router.post(
    "/{name}/suspension", summary="Suspend an instance", response_model=InstanceDocument
)
def suspend_instance(
    name: InstancePath,
    body: NothingBody,
    *,
    services: Services,
    caller: InstanceEnroller,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """Nothing is taken from it or made for it until it is proposed and confirmed again."""
    known = InstanceName(name)

    def as_read() -> None:
        require_match(if_match, instance_acts.shown_instance(caller, services, known))

    return answer_of(
        instance_acts.suspend_instance_once(
            services, caller, known, body, key=key, precondition=as_read
        )
    )


@instance_router.post(
    "/{name}/recovery", summary="Go on after a restore", response_model=InstanceDocument
)
def recover_instance(
    name: InstancePath,
    body: RecoverBody,
    *,
    services: Services,
    caller: InstanceEnroller,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """This register was restored from a backup: no bundle is numbered twice, and they tell us all again."""
    known = InstanceName(name)

    def as_read() -> None:
        require_match(if_match, instance_acts.shown_instance(caller, services, known))

    return answer_of(
        instance_acts.recover_instance_once(
            services, caller, known, body, key=key, precondition=as_read
        )
    )


@instance_router.post(
    "/{name}/numbers", summary="Hand card numbers down", response_model=InstanceViewDocument
)
def give_numbers(
    name: InstancePath, body: BlockBody, services: Services, caller: NumberGiver, key: KeyHeader
) -> Response:
    """A block of new card numbers, which the instance alone gives out; the next bundle tells it."""
    return answer_of(
        instance_acts.give_numbers_once(services, caller, InstanceName(name), body, key=key)
    )


@instance_router.post(
    "/{name}/indices", summary="Hand status indices down", response_model=InstanceViewDocument
)
def give_indices(
    name: InstancePath, body: IndicesBody, services: Services, caller: NumberGiver, key: KeyHeader
) -> Response:
    """Positions of a status list, drawn at random; the next bundle tells it."""
    return answer_of(
        instance_acts.give_indices_once(services, caller, InstanceName(name), body, key=key)
    )


@instance_router.post(
    "/{name}/bundles",
    summary="Make the next bundle",
    response_model=MadeBundleDocument,
    status_code=201,
    responses={200: {"model": MadeBundleDocument, "description": "There is nothing to tell."}},
)
def make_bundle(
    name: InstancePath, body: NothingBody, services: Services, caller: Exchanger, key: KeyHeader
) -> Response:
    """What goes into it is handed over with this answer; ``Location`` is the file."""
    return answer_of(instance_acts.export_once(services, caller, InstanceName(name), body, key=key))


@instance_router.get(
    "/{name}/bundles/{sequence}",
    summary="Take a bundle as a file",
    response_class=Response,
    responses=_ENCODED,
)
def take_bundle_file(
    name: InstancePath, sequence: SequencePath, services: Services, caller: Exchanger
) -> Response:
    """As often as it gets lost on its way, byte for byte the same; the audit trail keeps who had it."""
    return bundle_file(caller, services, InstanceName(name), sequence)
