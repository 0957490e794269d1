"""What is done with instances by a request that carries a key: for programs and for forms alike."""

from collections.abc import Callable

from pydantic import BaseModel

from issuer.api.bundle_documents import (
    BlockBody,
    ConfirmInstanceBody,
    IndicesBody,
    InstanceDocument,
    InstanceViewDocument,
    MadeBundleDocument,
    RecoverBody,
)
from issuer.api.bundle_routes import exchange_desk
from issuer.api.gate import Caller
from issuer.api.once import Receipt, carry_out_once, mark_of
from issuer.api.ports import ApiServices
from issuer.domain.instances import ExchangeCertificates, InstanceName, Side
from issuer.domain.organisation import parse_organisation_code
from issuer.services.exchange_desk import told_as_ours
from issuer.services.operation_ports import KeptAnswer

__all__ = [
    "confirm_instance_once",
    "export_once",
    "give_indices_once",
    "give_numbers_once",
    "propose_instance_once",
    "recover_instance_once",
    "shown_instance",
    "suspend_instance_once",
]

_INSTANCES = "/v1/instances"
Precondition = Callable[[], None]


def shown_instance(
    caller: Caller, services: ApiServices, name: InstanceName
) -> InstanceViewDocument:
    """One instance with what it was given.

    Raises:
        IssuerDataError: ``instance.unknown``.
        IssuerRefusedError: ``exchange.not-installed``.
    """
    view = exchange_desk(services).looking.show(name, actor=caller.actor)
    return InstanceViewDocument.of(view, services.scheme)


def propose_instance_once(
    services: ApiServices,
    caller: Caller,
    name: InstanceName,
    *,
    side: Side,
    organisation: str,
    certificates: ExchangeCertificates,
    key: str,
) -> KeptAnswer:
    """Propose an instance, or new certificates for one."""

    def act() -> Receipt:
        with told_as_ours():
            made = exchange_desk(services).instances.propose(
                name,
                side=side,
                organisation=parse_organisation_code(organisation),
                certificates=certificates,
                actor=caller.actor,
            )
        return Receipt(
            status=201, location=f"{_INSTANCES}/{name}", document=InstanceDocument.of(made)
        )

    content = f"{side} {organisation} {certificates.fingerprint}".encode()
    mark = mark_of(caller.actor.account, key, what=f"propose instance {name}", content=content)
    return carry_out_once(services, mark, act)


def confirm_instance_once(
    services: ApiServices,
    caller: Caller,
    name: InstanceName,
    body: ConfirmInstanceBody,
    *,
    key: str,
    precondition: Precondition | None = None,
) -> KeptAnswer:
    """Enrol it, by another person."""

    def act() -> BaseModel:
        made = exchange_desk(services).confirm(name, body.fingerprint, actor=caller.actor)
        return InstanceDocument.of(made)

    return _once(services, caller, name, body, act, key=key, what="confirm", first=precondition)


def suspend_instance_once(
    services: ApiServices,
    caller: Caller,
    name: InstanceName,
    body: BaseModel,
    *,
    key: str,
    precondition: Precondition | None = None,
) -> KeptAnswer:
    """Take and send nothing any more."""

    def act() -> BaseModel:
        made = exchange_desk(services).instances.suspend(name, actor=caller.actor)
        return InstanceDocument.of(made)

    return _once(services, caller, name, body, act, key=key, what="suspend", first=precondition)


def recover_instance_once(
    services: ApiServices,
    caller: Caller,
    name: InstanceName,
    body: RecoverBody,
    *,
    key: str,
    precondition: Precondition | None = None,
) -> KeptAnswer:
    """Go on after this register was restored from a backup."""

    def act() -> BaseModel:
        made = exchange_desk(services).instances.recover(name, sent=body.sent, actor=caller.actor)
        return InstanceDocument.of(made)

    return _once(services, caller, name, body, act, key=key, what="recover", first=precondition)


def give_numbers_once(
    services: ApiServices, caller: Caller, name: InstanceName, body: BlockBody, *, key: str
) -> KeptAnswer:
    """Hand a block of new card numbers to it."""

    def act() -> BaseModel:
        exchange_desk(services).handing.hand_numbers(
            name,
            parse_organisation_code(body.committee),
            first=services.scheme.parse(body.first),
            last=services.scheme.parse(body.last),
            actor=caller.actor,
        )
        return shown_instance(caller, services, name)

    return _once(services, caller, name, body, act, key=key, what="numbers")


def give_indices_once(
    services: ApiServices, caller: Caller, name: InstanceName, body: IndicesBody, *, key: str
) -> KeptAnswer:
    """Hand status indices, drawn at random, to it."""

    def act() -> BaseModel:
        exchange_desk(services).handing.hand_indices(name, body.count, actor=caller.actor)
        return shown_instance(caller, services, name)

    return _once(services, caller, name, body, act, key=key, what="indices")


def export_once(
    services: ApiServices, caller: Caller, name: InstanceName, body: BaseModel, *, key: str
) -> KeptAnswer:
    """Make the next bundle for it; the answer names the file."""

    def act() -> Receipt:
        made = exchange_desk(services).export(name, actor=caller.actor)
        here = f"{_INSTANCES}/{name}"
        return Receipt(
            status=200 if made is None else 201,
            location=here if made is None else f"{here}/bundles/{made.record.sequence}",
            document=MadeBundleDocument.of(made),
        )

    mark = mark_of(
        caller.actor.account,
        key,
        what=f"bundle for instance {name}",
        content=body.model_dump_json().encode(),
    )
    return carry_out_once(services, mark, act)


def _once(
    services: ApiServices,
    caller: Caller,
    name: InstanceName,
    body: BaseModel,
    act: Callable[[], BaseModel],
    *,
    key: str,
    what: str,
    first: Precondition | None = None,
) -> KeptAnswer:
    def carried_out() -> Receipt:
        if first is not None:
            first()
        return Receipt(status=200, location=f"{_INSTANCES}/{name}", document=act())

    content = body.model_dump_json().encode()
    mark = mark_of(caller.actor.account, key, what=f"{what} instance {name}", content=content)
    return carry_out_once(services, mark, carried_out)
