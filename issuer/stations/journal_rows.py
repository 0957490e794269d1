"""Rows of the journal's chips as values."""

import json
import sqlite3
import uuid
from collections.abc import Sequence
from typing import Final

from issuer.domain.batch import BatchId
from issuer.domain.card import UNFINISHED_STATES
from issuer.services.production_ports import ChipRecord
from issuer.services.station_ports import ClaimedChip, RejectedEvent
from issuer.stations.record_text import card_from_text, chip_from_text

__all__ = ["PENDING", "SELECT_CHIPS", "claimed_of", "count_unfinished", "keep_rejections"]

PENDING: Final = """
    SELECT line, chain FROM (
        SELECT sequence, line, chain, sum(length(CAST(line AS BLOB))) OVER (ORDER BY sequence) AS size
        FROM events WHERE sequence > :after ORDER BY sequence LIMIT :limit
    ) WHERE :most_bytes IS NULL OR size <= :most_bytes OR sequence = :after + 1
    ORDER BY sequence
"""
"""The next events, as many as have room together."""

SELECT_CHIPS: Final = "SELECT chip, card, is_in_hand, batch, sealed_job FROM chips"
"""What ``claimed_of`` reads."""


def claimed_of(row: tuple[str, str | None, int, bytes | None, bytes | None]) -> ClaimedChip:
    """One row; ``is_claimed`` says whether the station is at work with the chip."""
    chip, card, is_in_hand, batch, sealed_job = row
    return ClaimedChip(
        record=ChipRecord(
            chip=chip_from_text(chip), card=None if card is None else card_from_text(card)
        ),
        is_claimed=bool(is_in_hand),
        batch=None if batch is None else BatchId(uuid.UUID(bytes=batch)),
        sealed_job=sealed_job,
    )


def count_unfinished(connection: sqlite3.Connection, batch: BatchId) -> int:
    """How many cards of a batch are in hand and not finished."""
    states = sorted(state.value for state in UNFINISHED_STATES)
    row = connection.execute(
        "SELECT count(*) FROM chips WHERE batch = ? AND is_in_hand = 1"
        " AND card_state IN (SELECT value FROM json_each(?))",
        (batch.bytes, json.dumps(states)),
    ).fetchone()
    return int(row[0])


def keep_rejections(
    connection: sqlite3.Connection, rejected: Sequence[RejectedEvent]
) -> tuple[RejectedEvent, ...]:
    """Keep what the centre rejected, and let go of the chips; those that were not known before come back."""
    new = []
    for each in rejected:
        kept = connection.execute(
            "INSERT OR IGNORE INTO rejections (sequence, serial, code) VALUES (?, ?, ?)",
            (each.sequence, each.serial, each.code),
        )
        if kept.rowcount != 1:
            continue
        new.append(each)
        if each.serial is not None:
            connection.execute(
                "UPDATE chips SET is_in_hand = 0, sealed_job = NULL WHERE serial = ?",
                (each.serial,),
            )
    return tuple(new)
