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
-- A distributed table can't have this one: `activity-logs check` counts the positions.
CREATE UNIQUE INDEX entries_by_position ON entries (position);

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

-- The end of a log: its tombstone is set once. The name goes with the organization; its id stays, so
-- that nobody can bring it back. Like the next function it runs with its owner's rights, so that the
-- service's role needs none to do anything else with tombstones or entries.
CREATE FUNCTION end_organization(organization TEXT, ended_at BIGINT) RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    UPDATE logs SET deleted_at = ended_at, organization_name = '', search_key = ''
    WHERE organization_id = organization AND deleted_at IS NULL AND ended_at IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a log ends once' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO removals (organization_id, next_run) VALUES (organization, 0);
END
$$;

-- The one way in which entries are removed: with the whole of an organization that has ended, in
-- steps, oldest first, so that nobody waits for long. The removal is over with the last of them:
-- returns whether it is.
CREATE FUNCTION remove_entries_of(organization TEXT, most BIGINT) RETURNS BOOLEAN
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM logs JOIN removals USING (organization_id)
        WHERE organization_id = organization AND deleted_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'entries are permanent' USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM entries WHERE organization_id = organization AND sequence < most + (
        SELECT MIN(sequence) FROM entries WHERE organization_id = organization
    );
    IF EXISTS (SELECT 1 FROM entries WHERE organization_id = organization) THEN
        RETURN FALSE;
    END IF;
    DELETE FROM removals WHERE organization_id = organization;
    RETURN TRUE;
END
$$;

-- What the triggers refuse with; the reason is the argument.
CREATE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE FUNCTION refuse_removal() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM gone WHERE NOT EXISTS (
            SELECT 1 FROM logs JOIN removals USING (organization_id)
            WHERE organization_id = gone.organization_id AND deleted_at IS NOT NULL
        )
    ) THEN
        RAISE EXCEPTION 'entries are permanent' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;

-- A function that protects must not find its tables where its caller chooses.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'end_organization(TEXT, BIGINT)', 'remove_entries_of(TEXT, BIGINT)', 'refuse()', 'refuse_removal()'
    ] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
END $$;

-- The service's role has no right to what these triggers refuse. They hold its owner to it too.
CREATE TRIGGER entries_never_change BEFORE UPDATE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('entries are permanent');
CREATE TRIGGER entries_never_go AFTER DELETE ON entries REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER logs_only_advance BEFORE UPDATE ON logs FOR EACH ROW
    WHEN (
        NEW.organization_id <> OLD.organization_id
        OR NEW.next_sequence < OLD.next_sequence
        OR OLD.deleted_at IS NOT NULL
    )
    EXECUTE FUNCTION refuse('a log only advances');
CREATE TRIGGER logs_never_go BEFORE DELETE OR TRUNCATE ON logs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a log keeps its row');
CREATE TRIGGER service_head_only_advances BEFORE UPDATE ON service_head FOR EACH ROW
    WHEN (
        NEW.position < OLD.position
        OR NEW.recorded_at < OLD.recorded_at
        OR NEW.removals < OLD.removals
        OR NEW.secret <> OLD.secret
        OR NEW.run_entries <> OLD.run_entries AND OLD.position > 0
    )
    EXECUTE FUNCTION refuse('the head only advances');
CREATE TRIGGER service_head_never_goes BEFORE DELETE OR TRUNCATE ON service_head
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the head only advances');

-- The role that the service works as. Roles belong to the whole cluster, so it is named after the
-- database: one deployment must not open the log of another. Names have at most 63 bytes.
CREATE FUNCTION service_role() RETURNS TEXT LANGUAGE sql STABLE AS $$
    SELECT 'activity_logs_' || CASE
        WHEN octet_length(current_database()::text) <= 49 THEN current_database()::text
        ELSE left(current_database()::text, 8) || '_' || left(md5(current_database()::text), 16)
    END
$$;

-- Makes the role if nobody has, and gives it the least that it needs: it reads everything, adds
-- entries and heads, and can't change or remove an entry. A database that was restored under
-- another name gets its role by this too.
CREATE PROCEDURE prepare_service_role() LANGUAGE plpgsql AS $$
DECLARE
    service TEXT := service_role();
    taking TEXT := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    -- Nodes that start at once take turns.
    PERFORM pg_advisory_xact_lock(hashtext(service));
    BEGIN
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = service) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', service);
        END IF;
        IF NOT pg_has_role(current_user, service, taking) THEN
            EXECUTE format('GRANT %I TO %I', service, current_user);
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE EXCEPTION '% may not make itself a member of the role %. Let an administrator run: %',
            current_user, service, format('CREATE ROLE %I NOLOGIN; GRANT %I TO %I;', service, service, current_user)
            USING ERRCODE = 'insufficient_privilege';
    END;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), service);
    EXECUTE format(
        'GRANT SELECT ON _sqlx_migrations, service_head, logs, entries, runs, run_keys, run_lists, removals TO %I',
        service
    );
    EXECUTE format('GRANT INSERT ON entries, runs, run_keys, run_lists TO %I', service);
    EXECUTE format('GRANT UPDATE (position, recorded_at, removals) ON service_head TO %I', service);
    EXECUTE format(
        'GRANT INSERT (organization_id, organization_name, search_key, next_sequence), '
        'UPDATE (organization_name, search_key, next_sequence) ON logs TO %I',
        service
    );
    -- What a removal changes in the index.
    EXECUTE format('GRANT UPDATE (logs, log_of_rank) ON runs TO %I', service);
    EXECUTE format('GRANT DELETE ON run_lists TO %I', service);
    EXECUTE format('GRANT UPDATE (next_run) ON removals TO %I', service);
    REVOKE ALL ON FUNCTION end_organization(TEXT, BIGINT), remove_entries_of(TEXT, BIGINT) FROM PUBLIC;
    EXECUTE format(
        'GRANT EXECUTE ON FUNCTION end_organization(TEXT, BIGINT), remove_entries_of(TEXT, BIGINT) TO %I',
        service
    );
END
$$;

CALL prepare_service_role();
