-- The log. Instants are microseconds since the epoch; organization_id '' is the platform log.
-- Text sorts by its bytes (COLLATE "C"), as in SQLite.

-- The order of all commits: one row, held by each transaction that records.
CREATE TABLE service_head (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL CHECK (position >= 0)
);

INSERT INTO service_head (id, position) VALUES (1, 0);

-- One row for each organization's log: its head while it lives, its tombstone afterwards.
CREATE TABLE logs (
    organization_id TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(organization_id) <= 128),
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
    user_id TEXT COLLATE "C" NOT NULL CHECK (length(user_id) BETWEEN 1 AND 128),
    user_name TEXT COLLATE "C" NOT NULL,
    user_email TEXT COLLATE "C",
    organization_name TEXT COLLATE "C" CHECK ((organization_id = '') = (organization_name IS NULL)),
    workspace_id TEXT COLLATE "C" CHECK (workspace_id IS NULL OR organization_id <> ''),
    workspace_name TEXT COLLATE "C" CHECK ((workspace_id IS NULL) = (workspace_name IS NULL)),
    identifier TEXT COLLATE "C" NOT NULL,
    old_value TEXT COLLATE "C",
    new_value TEXT COLLATE "C",
    ip_address TEXT COLLATE "C",
    user_agent TEXT COLLATE "C",
    request_id TEXT COLLATE "C",
    PRIMARY KEY (organization_id, sequence)
);

-- Idempotency, and finding an entry in any log.
CREATE UNIQUE INDEX entries_by_id ON entries (id, organization_id);
-- The listing of one organization, of all of them, and of what somebody did.
CREATE INDEX entries_by_time ON entries (organization_id, occurred_at, sequence);
CREATE INDEX entries_of_all_by_time ON entries (occurred_at, sequence, position);
CREATE INDEX entries_by_user ON entries (user_id, occurred_at, sequence, position);

-- The one way in which entries go: with the whole of an organization that has its tombstone.
-- It runs with its owner's rights, so that the service's role needs none to remove entries.
CREATE FUNCTION remove_entries_of(organization TEXT) RETURNS BIGINT
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    removed BIGINT;
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM logs WHERE organization_id = organization AND deleted_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'entries are permanent' USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM entries WHERE organization_id = organization;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

-- A definer's function must not find its tables where its caller chooses.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION remove_entries_of(TEXT) SET search_path = %I, pg_temp', current_schema());
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
GRANT SELECT, UPDATE (position) ON service_head TO activity_logs_service;
GRANT SELECT, INSERT, UPDATE (organization_name, search_key, next_sequence, deleted_at) ON logs TO activity_logs_service;
GRANT SELECT, INSERT ON entries TO activity_logs_service;
REVOKE ALL ON FUNCTION remove_entries_of(TEXT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remove_entries_of(TEXT) TO activity_logs_service;
