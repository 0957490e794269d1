"""The station's own database: one SQLite file of four tables, of which events are only ever added to."""

from typing import Final

__all__ = ["SCHEMA", "SCHEMA_VERSION"]

SCHEMA_VERSION: Final = 1

SCHEMA: Final = (
    """
    CREATE TABLE facts (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE chips (
        serial BLOB PRIMARY KEY CHECK (length(serial) = 10),
        chip TEXT NOT NULL,
        card TEXT,
        card_state TEXT,
        reference BLOB UNIQUE CHECK (length(reference) = 16),
        key_point BLOB UNIQUE,
        batch BLOB,
        sealed_job BLOB,
        is_in_hand INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY,
        line TEXT NOT NULL,
        chain BLOB NOT NULL CHECK (length(chain) = 32)
    ) STRICT
    """,
    """
    CREATE TABLE rejections (
        sequence INTEGER PRIMARY KEY,
        serial BLOB,
        code TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE INDEX chips_card_state ON chips (card_state)
    """,
    """
    CREATE TRIGGER events_stay BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'events are never changed'); END
    """,
    """
    CREATE TRIGGER events_are_kept BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END
    """,
)
