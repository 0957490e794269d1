"""What is done with the stock by a request that carries a key: for programs and for forms alike."""

from pydantic import BaseModel

from issuer.api.gate import Caller
from issuer.api.once import Receipt, carry_out_once, mark_of
from issuer.api.ports import ApiServices
from issuer.api.stock_documents import (
    ConfirmDestructionBody,
    CountBody,
    CountDocument,
    DeliveryBody,
    DestructionBody,
    DestructionDocument,
    DoneDocument,
    EmptyBody,
    MoveBody,
    ReasonBody,
    SampleBody,
    SerialsBody,
    SiteBody,
    SiteDocument,
    StopBody,
)
from issuer.domain.chip import parse_serial
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.stock_account import SiteCode
from issuer.domain.stock_acts import DayCloseId, DestructionId
from issuer.services.operation_ports import KeptAnswer, RequestMark

__all__ = [
    "close_day_once",
    "conclude_stops_once",
    "condemn_once",
    "confirm_destruction_once",
    "count_once",
    "issue_once",
    "open_site_once",
    "receive_file_once",
    "receive_once",
    "release_once",
    "report_stops_once",
    "return_once",
    "sample_once",
    "withdraw_destruction_once",
    "witness_once",
]

_STOCK = "/v1/stock"


def open_site_once(
    services: ApiServices, caller: Caller, body: SiteBody, *, key: str
) -> KeptAnswer:
    """Open a store or a station."""

    def act() -> Receipt:
        site = services.stock.room.open_site(
            SiteCode(body.code),
            kind=body.kind,
            name=body.name,
            organisation=None
            if body.organisation is None
            else parse_organisation_code(body.organisation),
            actor=caller.actor,
        )
        view = services.stock.room.account(site.code, actor=caller.actor)
        return Receipt(
            status=201, location=f"{_STOCK}/sites/{site.code}", document=SiteDocument.of(view)
        )

    return carry_out_once(services, _mark(caller, key, "open a site", body), act)


def receive_once(
    services: ApiServices, caller: Caller, site: str, body: DeliveryBody, *, key: str
) -> KeptAnswer:
    """Take a delivery in that was named chip by chip."""
    content = "serial\n" + "\n".join(body.serials)
    return receive_file_once(
        services, caller, site, content.encode(), delivery=body.delivery, key=key
    )


def receive_file_once(
    services: ApiServices, caller: Caller, site: str, content: bytes, *, delivery: str, key: str
) -> KeptAnswer:
    """Take a delivery list in."""
    mark = mark_of(
        caller.actor.account, key, what=f"receive at {site} as {delivery}", content=content
    )

    def act() -> Receipt:
        receipt = services.stock.room.receive(
            content, delivery=delivery, site=SiteCode(site), actor=caller.actor
        )
        return _done(site, receipt.new)

    return carry_out_once(services, mark, act)


def issue_once(
    services: ApiServices, caller: Caller, site: str, body: MoveBody, *, key: str
) -> KeptAnswer:
    """Give blanks out of a store."""

    def act() -> Receipt:
        count = services.stock.room.issue(
            body.chips(), source=SiteCode(site), target=SiteCode(body.to), actor=caller.actor
        )
        return _done(site, count)

    return carry_out_once(services, _mark(caller, key, f"issue from {site}", body), act)


def return_once(
    services: ApiServices, caller: Caller, site: str, body: MoveBody, *, key: str
) -> KeptAnswer:
    """Take back what lies at a station."""

    def act() -> Receipt:
        count = services.stock.room.take_back(
            body.chips(), source=SiteCode(site), target=SiteCode(body.to), actor=caller.actor
        )
        return _done(site, count)

    return carry_out_once(services, _mark(caller, key, f"return from {site}", body), act)


def sample_once(
    services: ApiServices, caller: Caller, site: str, body: SampleBody, *, key: str
) -> KeptAnswer:
    """Take blanks out as samples."""

    def act() -> Receipt:
        count = services.stock.room.take_samples(
            body.chips(), site=SiteCode(site), remark=body.purpose, actor=caller.actor
        )
        return _done(site, count)

    return carry_out_once(services, _mark(caller, key, f"samples at {site}", body), act)


def condemn_once(
    services: ApiServices, caller: Caller, serial: str, body: ReasonBody, *, key: str
) -> KeptAnswer:
    """Condemn one chip."""

    def act() -> Receipt:
        services.stock.room.condemn(parse_serial(serial), reason=body.reason, actor=caller.actor)
        return _done_with(1)

    return carry_out_once(services, _mark(caller, key, f"condemn {serial}", body), act)


def release_once(services: ApiServices, caller: Caller, serial: str, *, key: str) -> KeptAnswer:
    """Release one held chip."""

    def act() -> Receipt:
        services.stock.room.release(parse_serial(serial), actor=caller.actor)
        return _done_with(1)

    return carry_out_once(services, _mark(caller, key, f"release {serial}", EmptyBody()), act)


def count_once(
    services: ApiServices, caller: Caller, site: str, body: CountBody, *, key: str
) -> KeptAnswer:
    """State what lies at a site."""

    def act() -> Receipt:
        outcome = services.stock.days.count(
            SiteCode(site), body.counted(), actor=caller.actor, scanned=body.chips()
        )
        return Receipt(
            status=201,
            location=f"{_STOCK}/counts/{outcome.close.close_id}",
            document=CountDocument.of_outcome(outcome),
        )

    return carry_out_once(services, _mark(caller, key, f"count {site}", body), act)


def close_day_once(
    services: ApiServices, caller: Caller, count: DayCloseId, *, key: str
) -> KeptAnswer:
    """Confirm a count."""

    def act() -> Receipt:
        closed = services.stock.days.close(count, actor=caller.actor)
        return Receipt(
            status=200, location=f"{_STOCK}/counts/{count}", document=CountDocument.of(closed)
        )

    return carry_out_once(services, _mark(caller, key, f"close {count}", EmptyBody()), act)


def witness_once(
    services: ApiServices, caller: Caller, body: DestructionBody, *, key: str
) -> KeptAnswer:
    """As the first witness, name what was destroyed."""

    def act() -> Receipt:
        made = services.stock.destructions.witness(
            body.chips(), site=SiteCode(body.site), manner=body.manner, actor=caller.actor
        )
        return Receipt(
            status=201,
            location=f"{_STOCK}/destructions/{made.destruction.destruction_id}",
            document=DestructionDocument.of(made.destruction),
        )

    return carry_out_once(services, _mark(caller, key, "witness a destruction", body), act)


def confirm_destruction_once(
    services: ApiServices,
    caller: Caller,
    destruction: DestructionId,
    body: ConfirmDestructionBody,
    *,
    key: str,
) -> KeptAnswer:
    """As the second witness, confirm it."""

    def act() -> Receipt:
        made = services.stock.destructions.confirm(
            destruction, chips=body.chips, actor=caller.actor
        )
        return Receipt(
            status=200,
            location=f"{_STOCK}/destructions/{destruction}",
            document=DestructionDocument.of(made.destruction),
        )

    return carry_out_once(
        services, _mark(caller, key, f"confirm destruction {destruction}", body), act
    )


def withdraw_destruction_once(
    services: ApiServices, caller: Caller, destruction: DestructionId, *, key: str
) -> KeptAnswer:
    """Say that it did not take place."""

    def act() -> Receipt:
        made = services.stock.destructions.withdraw(destruction, actor=caller.actor)
        return Receipt(
            status=200,
            location=f"{_STOCK}/destructions/{destruction}",
            document=DestructionDocument.of(made.destruction),
        )

    return carry_out_once(
        services, _mark(caller, key, f"withdraw destruction {destruction}", EmptyBody()), act
    )


def report_stops_once(
    services: ApiServices, caller: Caller, body: StopBody, *, key: str
) -> KeptAnswer:
    """Put chips on the stop list."""

    def act() -> Receipt:
        stops = services.stock.stops.report(body.chips(), reason=body.reason, actor=caller.actor)
        return _stops(len(stops))

    return carry_out_once(services, _mark(caller, key, "report to the stop list", body), act)


def conclude_stops_once(
    services: ApiServices, caller: Caller, body: SerialsBody, *, is_gone: bool, key: str
) -> KeptAnswer:
    """Confirm that chips are gone, or lift their stop."""
    conclude = services.stock.stops.confirm if is_gone else services.stock.stops.lift

    def act() -> Receipt:
        return _stops(len(conclude(body.chips(), actor=caller.actor)))

    what = "confirm stops" if is_gone else "lift stops"
    return carry_out_once(services, _mark(caller, key, what, body), act)


def _mark(caller: Caller, key: str, what: str, body: BaseModel) -> RequestMark:
    content = body.model_dump_json().encode()
    return mark_of(caller.actor.account, key, what=what, content=content)


def _done(site: str, count: int) -> Receipt:
    return Receipt(
        status=200, location=f"{_STOCK}/sites/{site}", document=DoneDocument(chips=count)
    )


def _done_with(count: int) -> Receipt:
    return Receipt(status=200, location=f"{_STOCK}/sites", document=DoneDocument(chips=count))


def _stops(count: int) -> Receipt:
    return Receipt(status=200, location=f"{_STOCK}/stops", document=DoneDocument(chips=count))
