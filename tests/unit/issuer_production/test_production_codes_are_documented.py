import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SOURCES = (
    "issuer/bootstrap_production.py",
    "issuer/cli_cards.py",
    "issuer/cli_production.py",
    "issuer/db/batches.py",
    "issuer/db/card_binding.py",
    "issuer/db/card_contents.py",
    "issuer/db/card_ledger.py",
    "issuer/db/card_seals.py",
    "issuer/db/production_rows.py",
    "issuer/db/register.py",
    "issuer/db/sealing.py",
    "issuer/db/station_claims.py",
    "issuer/db/station_repository.py",
    "issuer/db/stock_accounts.py",
    "issuer/db/stock_acts.py",
    "issuer/db/stock_ledger.py",
    "issuer/domain/batch.py",
    "issuer/domain/card_files.py",
    "issuer/domain/chip.py",
    "issuer/domain/chip_keys.py",
    "issuer/domain/chip_plan.py",
    "issuer/domain/production_errors.py",
    "issuer/domain/station_decision.py",
    "issuer/domain/station_enrolment.py",
    "issuer/domain/stock_account.py",
    "issuer/domain/stock_acts.py",
    "issuer/personalisation/dialects.py",
    "issuer/personalisation/jmrtd.py",
    "issuer/personalisation/native.py",
    "issuer/personalisation/scp03.py",
    "issuer/personalisation/scp03_keys.py",
    "issuer/personalisation/chip_keys.py",
    "issuer/personalisation/quality_control.py",
    "issuer/personalisation/sealed_keys.py",
    "issuer/services/batch_desk.py",
    "issuer/services/build_jobs.py",
    "issuer/services/control_batches.py",
    "issuer/services/deliver_batches.py",
    "issuer/services/fill_batches.py",
    "issuer/services/freeze_batches.py",
    "issuer/services/lock_card.py",
    "issuer/services/personalise_card.py",
    "issuer/services/receive_stock.py",
    "issuer/services/read_batches.py",
    "issuer/services/sign_batches.py",
    "issuer/services/sign_cards.py",
    "issuer/services/close_days.py",
    "issuer/services/destroy_chips.py",
    "issuer/services/enrol_stations.py",
    "issuer/services/move_stock.py",
    "issuer/services/stock_desk.py",
    "issuer/services/stock_room.py",
    "issuer/services/stop_chips.py",
    "issuer/services/visit_chip.py",
    "issuer/services/write_batch_papers.py",
    "issuer/signing_crew.py",
    "issuer/cli_station_day.py",
    "issuer/db/local_job_seal.py",
    "issuer/bootstrap_station.py",
    "issuer/cli_stations.py",
    "issuer/db/station_desk.py",
    "issuer/db/stations.py",
    "issuer/domain/production_events.py",
    "issuer/services/station_ports.py",
    *(
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "issuer" / "stations").glob("*.py"))
    ),
)
SPACES = (
    "batch|card|chip|chip-key|profile|record|quality-control|lock|station|production|personalisation|delivery|hand-over"
    "|stock|stop|print-data|transport-key|portrait|keystore|security-object"
)
CODE = re.compile(rf'"((?:{SPACES})\.[a-z-]+)"')


def test_every_code_of_production_is_in_its_document() -> None:
    found = {
        code
        for source in SOURCES
        for code in CODE.findall((ROOT / source).read_text(encoding="utf-8"))
    }
    assert len(found) > 50
    document = "".join(
        (ROOT / "docs" / name).read_text(encoding="utf-8")
        for name in ("production.md", "operations.md", "stations.md")
    )
    assert sorted(code for code in found if f"`{code}`" not in document) == []
