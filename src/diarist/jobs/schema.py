"""How the tables of jobs look, and how those of earlier releases become so.

A released step is never changed: a new one is added. `PRAGMA user_version` counts the steps that a file has had.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x64726A73
"""Marks a file as ours (``PRAGMA application_id``), so that no other program's database is taken for one."""

STEPS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
        transient INTEGER NOT NULL,
        request TEXT NOT NULL,
        digest TEXT NOT NULL,
        name TEXT NOT NULL,
        audio TEXT,
        audio_bytes INTEGER NOT NULL,
        seconds REAL,
        created REAL NOT NULL,
        started REAL,
        ended REAL,
        attempts INTEGER NOT NULL DEFAULT 0,
        progress TEXT NOT NULL DEFAULT '{}',
        error TEXT,
        revision INTEGER NOT NULL DEFAULT 0,
        idempotency_key TEXT,
        webhook TEXT,
        token TEXT,
        worker TEXT,
        leased_until REAL,
        CHECK ((state = 'running') = (token IS NOT NULL)),
        CHECK ((state IN ('queued', 'running')) = (ended IS NULL))
    ) STRICT;
    CREATE UNIQUE INDEX jobs_by_key ON jobs (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
    CREATE INDEX jobs_by_digest ON jobs (owner, digest);
    CREATE INDEX jobs_open ON jobs (state) WHERE ended IS NULL;
    CREATE INDEX jobs_by_end ON jobs (ended) WHERE ended IS NOT NULL;

    CREATE TABLE parts (
        job INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
        name TEXT NOT NULL,
        blob BLOB NOT NULL,
        PRIMARY KEY (job, name)
    ) STRICT;

    CREATE TABLE transcripts (
        job INTEGER PRIMARY KEY REFERENCES jobs (seq) ON DELETE CASCADE,
        computed TEXT NOT NULL,
        edited TEXT
    ) STRICT;

    CREATE TABLE edits (
        job INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
        revision INTEGER NOT NULL,
        operations TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (job, revision)
    ) STRICT;

    CREATE TABLE webhooks (
        id TEXT PRIMARY KEY,
        job INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
        due REAL NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX webhooks_by_job ON webhooks (job);

    -- Words as `jobs.search` writes them, by jobs.seq. It has done all the folding: here, only spaces part words.
    CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = 'ascii');

    -- A row for each time that something was erased whose bytes may still lie in the file.
    CREATE TABLE traces (seq INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;
    """,
)
