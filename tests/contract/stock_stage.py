"""A stock to work with: every use case over one database, and people for every part."""

from collections.abc import Sequence
from datetime import UTC, datetime

from issuer.bootstrap_stock import stock_of
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.db.stock_ledger import SqlStockLedger
from issuer.domain.chip import Serial
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.domain.stock_account import FIRST_STORE, Site, SiteCode, SiteKind
from issuer.services.production_ports import Clock
from issuer.services.stock_services import StockServices

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def staff(name: str, *roles: Role, now: datetime = NOW) -> Actor:
    """Somebody who has just shown the second factor."""
    return Actor(
        account=AccountName(name),
        assignments=tuple(Assignment(role=each) for each in roles),
        stepped_up_at=now,
    )


STOREKEEPER = staff("kho", Role.STOREKEEPER)
CONTROLLER = staff("kiem tra", Role.QUALITY_CONTROLLER)
EVERYBODY = staff("everybody", *Role)


def serial_of(number: int) -> Serial:
    return Serial(number.to_bytes(10, "big"))


def delivery_of(*numbers: int) -> bytes:
    """A delivery list with these serials."""
    return ("serial\n" + "".join(f"{serial_of(each).hex()}\n" for each in numbers)).encode()


def stock_services(database: Database, clock: Clock) -> StockServices:
    """All use cases, at a clock of one's own."""
    return stock_of(SqlRegister(database), clock=clock)


class OfficeStock(SqlStockLedger):
    """The stock as tests of other things use it: everything is in one store, and one person may do everything."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database)
        self._register = SqlRegister(database)
        self._clock = clock

    def receive(
        self, serials: Sequence[Serial], *, delivery: str, site: SiteCode = FIRST_STORE
    ) -> int:
        self.open_site(site)
        with self._register.writing() as transaction:
            return transaction.stock.receive(
                serials,
                site=site,
                delivery=delivery,
                account=EVERYBODY.account,
                at=self._clock(),
            )

    def open_site(self, site: SiteCode) -> None:
        """A station's site, where there is none of this code yet."""
        with self._register.writing() as transaction:
            if site not in {each.code for each in transaction.stock.sites()}:
                transaction.stock.add_site(
                    Site(
                        code=site,
                        kind=SiteKind.STATION,
                        name=site,
                        organisation=None,
                        opened_at=self._clock(),
                    )
                )

    def condemn(
        self, serial: Serial, *, code: str, detail: str = "", is_safe: bool = False
    ) -> None:
        with self._register.writing() as transaction:
            transaction.stock.condemn(
                serial,
                code=code,
                detail=detail,
                account=EVERYBODY.account,
                at=self._clock(),
                is_safe=is_safe,
            )

    def release(self, serial: Serial) -> None:
        with self._register.writing() as transaction:
            transaction.stock.release(serial, account=EVERYBODY.account, at=self._clock())
