-- The log. Instants are microseconds since the epoch; organization_id '' is the platform log.
-- Text sorts by its bytes (COLLATE "C"), as in SQLite.

-- The order of all commits: one row, held by each transaction that records.
CREATE TABLE service_head (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL CHECK (position >= 0),
    -- The newest time of recording, which none after it comes before.
    recorded_at BIGINT NOT NULL DEFAULT 0,
    -- How many positions a run has, and how often a removal has changed what listings hold.
    run_entries INTEGER NOT NULL DEFAULT 65536 CHECK (run_entries BETWEEN 1 AND 65536),
    removals BIGINT NOT NULL DEFAULT 0 CHECK (removals >= 0),
    -- The key of what the service hands out and takes back.
    secret BYTEA NOT NULL CHECK (octet_length(secret) = 32)
);

INSERT INTO service_head (id, position, secret)
VALUES (1, 0, sha256((gen_random_uuid()::text || gen_random_uuid()::text)::bytea));

-- One row for each organization's log: its head while it lives, its tombstone afterwards.
CREATE TABLE logs (
    organization_id TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (octet_length(organization_id) <= 255),
    organization_name TEXT COLLATE "C" CHECK ((organization_id = '') = (organization_name IS NULL)),
    -- What people search and sort by: the name, a line break and the id, in lower case.
    search_key TEXT COLLATE "C" NOT NULL,
    next_sequence BIGINT NOT NULL CHECK (next_sequence >= 0),
    deleted_at BIGINT CHECK (deleted_at IS NULL OR organization_id <> '')
);

CREATE INDEX logs_by_search_key ON logs (search_key, organization_id) WHERE deleted_at IS NULL;

CREATE TABLE entries (
    organization_id TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL CHECK (sequence >= 0),
    position BIGINT NOT NULL CHECK (position > 0),
    id UUID NOT NULL,
    occurred_at BIGINT NOT NULL CHECK (occurred_at >= 0),
    recorded_at BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL CHECK (length(type) BETWEEN 1 AND 64),
    action TEXT COLLATE "C" NOT NULL CHECK (length(action) BETWEEN 1 AND 64),
    outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('success', 'denied', 'failure')),
    user_id TEXT COLLATE "C" NOT NULL CHECK (octet_length(user_id) BETWEEN 1 AND 255),
    user_name TEXT COLLATE "C" NOT NULL,
    user_email TEXT COLLATE "C",
    organization_name TEXT COLLATE "C" CHECK ((organization_id = '') = (organization_name IS NULL)),
    workspace_id TEXT COLLATE "C" CHECK (
        workspace_id IS NULL OR organization_id <> '' AND octet_length(workspace_id) BETWEEN 1 AND 255
    ),
    workspace_name TEXT COLLATE "C" CHECK ((workspace_id IS NULL) = (workspace_name IS NULL)),
    identifier TEXT COLLATE "C" NOT NULL,
    old_value TEXT COLLATE "C",
    new_value TEXT COLLATE "C",
    ip_address TEXT COLLATE "C",
    user_agent TEXT COLLATE "C",
    request_id TEXT COLLATE "C",
    question TEXT COLLATE "C",
    PRIMARY KEY (organization_id, sequence)
);

-- Idempotency, and finding an entry in any log.
CREATE UNIQUE INDEX entries_by_id ON entries (id, organization_id);
CREATE INDEX entries_by_position ON entries (position);

-- The index of the log: what listings are counted and found by. The transaction that records the
-- last entry of a run of positions writes the run's rows once and for good; they say nothing that
-- the entries don't, and `activity-logs check` compares the two.

-- One row for each run: the keys that bound its chunks, and how many entries each log has in it.
CREATE TABLE runs (
    run BIGINT NOT NULL PRIMARY KEY CHECK (run >= 0),
    entries INTEGER NOT NULL CHECK (entries BETWEEN 0 AND 65536),
    bounds BYTEA NOT NULL,
    logs BYTEA NOT NULL,
    log_of_rank BYTEA NOT NULL
);

-- The keys of a run's entries in the order of listings.
CREATE TABLE run_keys (
    run BIGINT NOT NULL,
    chunk INTEGER NOT NULL CHECK (chunk >= 0),
    keys BYTEA NOT NULL,
    PRIMARY KEY (run, chunk)
);

-- For each list of each log ('!': of all together) its ranks in a run. A list named '' holds all
-- lists of a log that has few entries in the run.
CREATE TABLE run_lists (
    organization_id TEXT COLLATE "C" NOT NULL,
    list TEXT COLLATE "C" NOT NULL,
    run BIGINT NOT NULL,
    entries INTEGER NOT NULL CHECK (entries > 0),
    content BYTEA NOT NULL,
    PRIMARY KEY (organization_id, list, run)
);

-- Deleted organizations whose entries are still to be taken out, from which run on.
CREATE TABLE removals (
    organization_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    next_run BIGINT NOT NULL CHECK (next_run >= 0)
);

-- Nothing to gain: sets of ranks are as short as they get.
ALTER TABLE runs ALTER COLUMN bounds SET STORAGE EXTERNAL, ALTER COLUMN log_of_rank SET STORAGE EXTERNAL;
ALTER TABLE run_keys ALTER COLUMN keys SET STORAGE EXTERNAL;
ALTER TABLE run_lists ALTER COLUMN content SET STORAGE EXTERNAL;

-- The one way in which entries go: with the whole of an organization that has its tombstone, in
-- steps, oldest first, so that nobody waits for long. It runs with its owner's rights, so that the
-- service's role needs none to remove entries.
CREATE FUNCTION remove_entries_of(organization TEXT, most BIGINT) RETURNS BIGINT
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    removed BIGINT;
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM logs WHERE organization_id = organization AND deleted_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'entries are permanent' USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM entries WHERE organization_id = organization AND sequence < most + (
        SELECT MIN(sequence) FROM entries WHERE organization_id = organization
    );
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

-- A definer's function must not find its tables where its caller chooses.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION remove_entries_of(TEXT, BIGINT) SET search_path = %I, pg_temp', current_schema());
END $$;

-- The role the service works as: it reads and adds entries, and can't change or remove them.
-- Roles belong to the whole cluster, so another database may have made it already.
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'activity_logs_service') THEN
        CREATE ROLE activity_logs_service NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$;

DO $$ BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT activity_logs_service TO %I', current_user);
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO activity_logs_service', current_schema());
END $$;

GRANT SELECT ON _sqlx_migrations TO activity_logs_service;
GRANT SELECT, UPDATE (position, recorded_at, removals) ON service_head TO activity_logs_service;
GRANT SELECT, INSERT, UPDATE (organization_name, search_key, next_sequence, deleted_at) ON logs TO activity_logs_service;
GRANT SELECT, INSERT ON entries TO activity_logs_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON runs, run_keys, run_lists, removals TO activity_logs_service;
REVOKE ALL ON FUNCTION remove_entries_of(TEXT, BIGINT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remove_entries_of(TEXT, BIGINT) TO activity_logs_service;
