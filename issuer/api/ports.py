"""What the API needs of the service; ``issuer.bootstrap_api`` puts it together."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from issuer.api.cursors import Cursors
from issuer.api.metrics import Metrics
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.subject_extract import SubjectExtract
from issuer.services.add_organisations import AddingOfOrganisations
from issuer.services.audit_office import AuditOffice
from issuer.services.batch_services import BatchServices
from issuer.services.bring_organisations import BringingOfOrganisations
from issuer.services.card_services import CardServices
from issuer.services.change_members import ChangeOfMembers
from issuer.services.change_organisations import ChangeOfOrganisations
from issuer.services.check_members import CheckingOfMembers
from issuer.services.confirm_accounts import ConfirmationOfAccounts
from issuer.services.confirm_deletions import ConfirmationOfDeletions
from issuer.services.data_subjects import SubjectOffice
from issuer.services.decide_doubts import DoubtDesk
from issuer.services.decision_operations import DecisionOperations
from issuer.services.exchange_desk import ExchangeDesk
from issuer.services.import_uploads import Imports
from issuer.services.log_in import LogIn
from issuer.services.look_at_organisations import LookingAtOrganisations
from issuer.services.look_at_stations import LookingAtStations
from issuer.services.member_record import MemberRecords
from issuer.services.merged_reports import MergedReports
from issuer.services.oidc_login import OidcLogin
from issuer.services.operation_ports import IdempotencyLedger
from issuer.services.operations import OperationDesk
from issuer.services.overviews import Overviews
from issuer.services.people import People
from issuer.services.production_reports import ProductionReports
from issuer.services.read_members import ReadingOfMembers
from issuer.services.record_member import MemberRecording
from issuer.services.register_ports import PortraitStore
from issuer.services.replace_portraits import PortraitDesk
from issuer.services.reports import Reports
from issuer.services.request_office import RequestOffice
from issuer.services.request_operations import RequestOperations
from issuer.services.request_rates import RequestRates
from issuer.services.second_factors import SecondFactors
from issuer.services.stock_services import StockServices
from issuer.services.terminal_confirmation import TerminalConfirmation
from issuer.services.upload_ports import Uploads
from issuer.stations.desk import StationDesk

__all__ = ["ApiServices", "Readiness"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What was looked at, and the code of what is wrong; ``None`` where nothing is."""

    database: str | None
    migrations: str | None
    keystore: str | None

    @property
    def is_ready(self) -> bool:
        """Whether requests can be served."""
        return self.database is None and self.migrations is None and self.keystore is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServices:
    """Everything that a route reaches.

    ``now`` is the clock, ``readiness`` looks anew at each call; ``second_factors`` is ``None`` where the settings do not
    say where browsers find the console, ``oidc`` where they name no other service that says who somebody is; ``stations`` where no certificates of the exchange
    with stations are installed, ``exchange`` where this register has no name among instances.
    """

    log_in: LogIn
    rates: RequestRates
    second_factors: SecondFactors | None
    terminals: TerminalConfirmation
    oidc: OidcLogin | None
    members: ReadingOfMembers
    records: MemberRecords
    changes: ChangeOfMembers
    new_portraits: PortraitDesk
    recording: MemberRecording
    checking: CheckingOfMembers
    portraits: PortraitStore
    organisations: LookingAtOrganisations
    organisation_changes: ChangeOfOrganisations
    organisation_adding: AddingOfOrganisations
    organisation_lists: BringingOfOrganisations
    organisation_template: Callable[[], bytes]
    subjects: SubjectOffice
    deletions: ConfirmationOfDeletions
    extract_file: Callable[[SubjectExtract], bytes]
    overview: Overviews
    scheme: CardNumberScheme
    operations: OperationDesk
    imports: Imports
    doubts: DoubtDesk
    requests: RequestOffice
    request_operations: RequestOperations
    decision_operations: DecisionOperations
    people: People
    account_confirmation: ConfirmationOfAccounts
    audit: AuditOffice
    finding_in_vietnamese: Callable[[str], str]
    uploads: Uploads
    stations: StationDesk | None
    station_list: LookingAtStations
    exchange: ExchangeDesk | None
    member_template: Callable[[], bytes]
    batches: BatchServices
    cards: CardServices
    stock: StockServices
    stock_file: Callable[..., bytes]
    reports: Reports
    report_file: Callable[..., bytes]
    merged_reports: MergedReports
    merged_report_file: Callable[..., bytes]
    production: ProductionReports
    production_file: Callable[..., bytes]
    idempotency: IdempotencyLedger
    cursors: Cursors
    metrics: Metrics
    readiness: Callable[[], Readiness]
    now: Callable[[], datetime]
