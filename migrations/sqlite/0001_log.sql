-- The log. Instants are microseconds since the epoch; organization_id '' is the platform log.

-- The order of all commits: one row, held by each transaction that records.
CREATE TABLE service_head (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL CHECK (position >= 0),
    -- The newest time of recording, which none after it comes before.
    recorded_at INTEGER NOT NULL DEFAULT 0,
    -- How many positions a run has, and how often a removal has changed what listings hold.
    run_entries INTEGER NOT NULL DEFAULT 65536 CHECK (run_entries BETWEEN 1 AND 65536),
    removals INTEGER NOT NULL DEFAULT 0 CHECK (removals >= 0),
    -- The key of what the service hands out and takes back.
    secret BLOB NOT NULL CHECK (length(secret) = 32)
) STRICT;

INSERT INTO service_head (id, position, secret) VALUES (1, 0, randomblob(32));

-- One row for each organization's log: its head while it lives, its tombstone afterwards.
CREATE TABLE logs (
    organization_id TEXT NOT NULL PRIMARY KEY CHECK (length(CAST(organization_id AS BLOB)) <= 255),
    organization_name TEXT CHECK ((organization_id = '') = (organization_name IS NULL)),
    -- What people search and sort by: the name, a line break and the id, in lower case.
    search_key TEXT NOT NULL,
    next_sequence INTEGER NOT NULL CHECK (next_sequence >= 0),
    deleted_at INTEGER CHECK (deleted_at IS NULL OR organization_id <> '')
) STRICT, WITHOUT ROWID;

CREATE INDEX logs_by_search_key ON logs (search_key, organization_id) WHERE deleted_at IS NULL;

CREATE TABLE entries (
    organization_id TEXT NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence >= 0),
    position INTEGER NOT NULL CHECK (position > 0),
    id BLOB NOT NULL CHECK (length(id) = 16),
    occurred_at INTEGER NOT NULL CHECK (occurred_at >= 0),
    recorded_at INTEGER NOT NULL,
    type TEXT NOT NULL CHECK (length(type) BETWEEN 1 AND 64),
    action TEXT NOT NULL CHECK (length(action) BETWEEN 1 AND 64),
    outcome TEXT NOT NULL CHECK (outcome IN ('success', 'denied', 'failure')),
    user_id TEXT NOT NULL CHECK (length(CAST(user_id AS BLOB)) BETWEEN 1 AND 255),
    user_name TEXT NOT NULL,
    user_email TEXT,
    organization_name TEXT CHECK ((organization_id = '') = (organization_name IS NULL)),
    workspace_id TEXT CHECK (
        workspace_id IS NULL
        OR organization_id <> '' AND length(CAST(workspace_id AS BLOB)) BETWEEN 1 AND 255
    ),
    workspace_name TEXT CHECK ((workspace_id IS NULL) = (workspace_name IS NULL)),
    identifier TEXT NOT NULL,
    old_value TEXT,
    new_value TEXT,
    ip_address TEXT,
    user_agent TEXT,
    request_id TEXT,
    question TEXT,
    PRIMARY KEY (organization_id, sequence)
) STRICT;

-- Idempotency, and finding an entry in any log.
CREATE UNIQUE INDEX entries_by_id ON entries (id, organization_id);
CREATE UNIQUE INDEX entries_by_position ON entries (position);

-- The index of the log: what listings are counted and found by. The transaction that records the
-- last entry of a run of positions writes the run's rows once and for good; they say nothing that
-- the entries don't, and `activity-logs check` compares the two.

-- One row for each run: the keys that bound its chunks, and how many entries each log has in it.
CREATE TABLE runs (
    run INTEGER NOT NULL PRIMARY KEY CHECK (run >= 0),
    entries INTEGER NOT NULL CHECK (entries BETWEEN 0 AND 65536),
    bounds BLOB NOT NULL,
    logs BLOB NOT NULL,
    log_of_rank BLOB NOT NULL
) STRICT;

-- The keys of a run's entries in the order of listings.
CREATE TABLE run_keys (
    run INTEGER NOT NULL,
    chunk INTEGER NOT NULL CHECK (chunk >= 0),
    keys BLOB NOT NULL,
    PRIMARY KEY (run, chunk)
) STRICT;

-- For each list of each log ('!': of all together) its ranks in a run. A list named '' holds all
-- lists of a log that has few entries in the run.
CREATE TABLE run_lists (
    organization_id TEXT NOT NULL,
    list TEXT NOT NULL,
    run INTEGER NOT NULL,
    entries INTEGER NOT NULL CHECK (entries > 0),
    content BLOB NOT NULL,
    PRIMARY KEY (organization_id, list, run)
) STRICT, WITHOUT ROWID;

-- Deleted organizations whose entries are still to be taken out, from which run on.
CREATE TABLE removals (
    organization_id TEXT NOT NULL PRIMARY KEY,
    next_run INTEGER NOT NULL CHECK (next_run >= 0)
) STRICT, WITHOUT ROWID;

-- REPLACE removes the rows that are in its way, found by any unique key or by rowid, without
-- firing the triggers that keep rows: so there is a trigger before each insert too. (Tables
-- WITHOUT ROWID would have one key less, but rows this large take twice the time to insert.)

CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
BEGIN
    SELECT RAISE(ABORT, 'entries are permanent');
END;

-- The one way in which entries are removed: with the whole of an organization that has ended.
CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
WHEN NOT EXISTS (
    SELECT 1 FROM logs JOIN removals USING (organization_id)
    WHERE organization_id = OLD.organization_id AND deleted_at IS NOT NULL
)
BEGIN
    SELECT RAISE(ABORT, 'entries are permanent');
END;

CREATE TRIGGER entries_are_not_replaced BEFORE INSERT ON entries
WHEN EXISTS (SELECT 1 FROM entries WHERE id = NEW.id AND organization_id = NEW.organization_id)
    OR EXISTS (SELECT 1 FROM entries WHERE organization_id = NEW.organization_id AND sequence = NEW.sequence)
    OR EXISTS (SELECT 1 FROM entries WHERE position = NEW.position)
    OR EXISTS (SELECT 1 FROM entries WHERE rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'entries are permanent');
END;

-- A rowid that is not given is -1 in the trigger above, so no row may have it.
CREATE TRIGGER entries_have_usual_rowids AFTER INSERT ON entries
WHEN NEW.rowid < 1
BEGIN
    SELECT RAISE(ABORT, 'entries are permanent');
END;

CREATE TRIGGER entries_come_to_living_logs BEFORE INSERT ON entries
WHEN EXISTS (SELECT 1 FROM logs WHERE organization_id = NEW.organization_id AND deleted_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'the log has ended');
END;

CREATE TRIGGER logs_only_advance BEFORE UPDATE ON logs
WHEN NEW.organization_id <> OLD.organization_id
    OR NEW.next_sequence < OLD.next_sequence
    OR OLD.deleted_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a log only advances');
END;

CREATE TRIGGER logs_never_go BEFORE DELETE ON logs
BEGIN
    SELECT RAISE(ABORT, 'a log keeps its row');
END;

CREATE TRIGGER logs_are_not_replaced BEFORE INSERT ON logs
WHEN EXISTS (
    SELECT 1 FROM logs WHERE organization_id = NEW.organization_id
        AND (deleted_at IS NOT NULL OR next_sequence > NEW.next_sequence)
)
BEGIN
    SELECT RAISE(ABORT, 'a log only advances');
END;

CREATE TRIGGER service_head_only_advances BEFORE UPDATE ON service_head
WHEN NEW.id <> OLD.id
    OR NEW.position < OLD.position
    OR NEW.recorded_at < OLD.recorded_at
    OR NEW.removals < OLD.removals
    OR NEW.secret <> OLD.secret
    OR NEW.run_entries <> OLD.run_entries AND OLD.position > 0
BEGIN
    SELECT RAISE(ABORT, 'the head only advances');
END;

CREATE TRIGGER service_head_never_goes BEFORE DELETE ON service_head
BEGIN
    SELECT RAISE(ABORT, 'the head only advances');
END;

CREATE TRIGGER service_head_is_not_replaced BEFORE INSERT ON service_head
WHEN EXISTS (SELECT 1 FROM service_head)
BEGIN
    SELECT RAISE(ABORT, 'the head only advances');
END;

CREATE TRIGGER removals_begin_with_a_tombstone BEFORE INSERT ON removals
WHEN NOT EXISTS (SELECT 1 FROM logs WHERE organization_id = NEW.organization_id AND deleted_at IS NOT NULL)
    OR EXISTS (SELECT 1 FROM removals WHERE organization_id = NEW.organization_id)
BEGIN
    SELECT RAISE(ABORT, 'a removal only advances');
END;

CREATE TRIGGER removals_only_advance BEFORE UPDATE ON removals
WHEN NEW.organization_id <> OLD.organization_id OR NEW.next_run < OLD.next_run
BEGIN
    SELECT RAISE(ABORT, 'a removal only advances');
END;

CREATE TRIGGER removals_end_with_the_last_entry BEFORE DELETE ON removals
WHEN EXISTS (SELECT 1 FROM entries WHERE organization_id = OLD.organization_id)
BEGIN
    SELECT RAISE(ABORT, 'a removal only advances');
END;

-- Of a sealed run only what a removal takes out of it changes.
CREATE TRIGGER runs_keep_their_keys BEFORE UPDATE ON runs
WHEN (NEW.run, NEW.entries, NEW.bounds) <> (OLD.run, OLD.entries, OLD.bounds)
    OR NOT EXISTS (SELECT 1 FROM removals)
BEGIN
    SELECT RAISE(ABORT, 'a run is sealed');
END;

CREATE TRIGGER runs_never_go BEFORE DELETE ON runs
BEGIN
    SELECT RAISE(ABORT, 'a run is sealed');
END;

CREATE TRIGGER runs_are_not_replaced BEFORE INSERT ON runs
WHEN EXISTS (SELECT 1 FROM runs WHERE run = NEW.run)
BEGIN
    SELECT RAISE(ABORT, 'a run is sealed');
END;

CREATE TRIGGER run_keys_never_change BEFORE UPDATE ON run_keys
BEGIN
    SELECT RAISE(ABORT, 'a run is sealed');
END;

CREATE TRIGGER run_keys_never_go BEFORE DELETE ON run_keys
BEGIN
    SELECT RAISE(ABORT, 'a run is sealed');
END;

CREATE TRIGGER run_keys_are_not_replaced BEFORE INSERT ON run_keys
WHEN EXISTS (SELECT 1 FROM run_keys WHERE run = NEW.run AND chunk = NEW.chunk)
    OR EXISTS (SELECT 1 FROM run_keys WHERE rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'a run is sealed');
END;

CREATE TRIGGER run_lists_never_change BEFORE UPDATE ON run_lists
BEGIN
    SELECT RAISE(ABORT, 'a run is sealed');
END;

CREATE TRIGGER run_lists_go_with_a_removal BEFORE DELETE ON run_lists
WHEN NOT EXISTS (SELECT 1 FROM removals)
BEGIN
    SELECT RAISE(ABORT, 'a run is sealed');
END;

CREATE TRIGGER run_lists_are_not_replaced BEFORE INSERT ON run_lists
WHEN EXISTS (
    SELECT 1 FROM run_lists
    WHERE organization_id = NEW.organization_id AND list = NEW.list AND run = NEW.run
)
BEGIN
    SELECT RAISE(ABORT, 'a run is sealed');
END;
