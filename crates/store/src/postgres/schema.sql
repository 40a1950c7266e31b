-- One line for each thing that makes the schema, without the names of the schema, the owner and the
-- service's role, which differ.
WITH ours AS (
    SELECT oid, relname, relowner, relacl, relrowsecurity OR relforcerowsecurity AS has_policies
    FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relname IN (
        'service_head', 'logs', 'entries', 'runs', 'run_keys', 'run_lists', 'removals'
    )
), keeper AS (
    SELECT relowner AS oid FROM ours WHERE relname = 'entries'
), routines AS (
    SELECT oid, proname, proowner, proacl, pg_get_function_identity_arguments(oid) AS arguments
    FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace AND (prosecdef OR proname IN (
        'end_organization', 'remove_entries_of', 'refuse', 'refuse_removal', 'service_role', 'prepare_service_role'
    ))
), rights AS (
    SELECT relname AS thing, acl.* FROM ours, aclexplode(COALESCE(relacl, acldefault('r', relowner))) AS acl
    UNION ALL
    SELECT relname || '.' || attname, acl.*
    FROM ours JOIN pg_attribute ON attrelid = ours.oid, aclexplode(attacl) AS acl
    WHERE NOT attisdropped
    UNION ALL
    SELECT proname, acl.* FROM routines, aclexplode(COALESCE(proacl, acldefault('f', proowner))) AS acl
), lines (line) AS (
    SELECT format(
        'column %s.%s %s%s%s%s', relname, attname, format_type(atttypid, atttypmod),
        ' COLLATE ' || collname, CASE WHEN attnotnull THEN ' NOT NULL' END,
        ' DEFAULT ' || pg_get_expr(adbin, adrelid)
    )
    FROM ours JOIN pg_attribute ON attrelid = ours.oid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    LEFT JOIN pg_collation ON pg_collation.oid = attcollation AND collname <> 'default'
    WHERE attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT format('constraint %s on %s %s', conname, relname, pg_get_constraintdef(pg_constraint.oid))
    FROM ours JOIN pg_constraint ON conrelid = ours.oid WHERE contype IN ('p', 'u', 'c', 'f', 'x')
    UNION ALL
    SELECT format('index %s%s', pg_get_indexdef(indexrelid), CASE WHEN NOT indisvalid THEN ' (invalid)' END)
    FROM ours JOIN pg_index ON indrelid = ours.oid
    UNION ALL
    SELECT format('trigger %s%s', pg_get_triggerdef(pg_trigger.oid), CASE WHEN tgenabled <> 'O' THEN ' (disabled)' END)
    FROM ours JOIN pg_trigger ON tgrelid = ours.oid WHERE NOT tgisinternal
    UNION ALL
    SELECT format('rule %s on %s', rulename, relname) FROM ours JOIN pg_rewrite ON ev_class = ours.oid
    UNION ALL
    SELECT format('policies on %s', relname) FROM ours WHERE has_policies
    UNION ALL
    -- Only a fingerprint of what it does.
    SELECT format('function %s(%s) %s', proname, arguments, md5(replace(
        replace(pg_get_functiondef(oid), format('%I.', current_schema()), ''),
        format('search_path TO %L', current_schema()), 'search_path'
    )))
    FROM routines
    UNION ALL
    SELECT format('right to %s %s for %s', privilege_type, thing, CASE
        WHEN grantee = 0 THEN 'everybody'
        WHEN grantee = (SELECT oid FROM pg_roles WHERE rolname = service_role()) THEN 'the service'
        ELSE pg_get_userbyid(grantee)
    END)
    FROM rights
    WHERE grantee <> (SELECT oid FROM keeper) AND (
        -- Whom an operator lets read is the operator's decision.
        privilege_type <> 'SELECT'
        OR grantee = (SELECT oid FROM pg_roles WHERE rolname = service_role())
    )
    UNION ALL
    SELECT format('another owner of %s', relname) FROM ours WHERE relowner <> (SELECT oid FROM keeper)
    UNION ALL
    SELECT format('another owner of %s', proname) FROM routines WHERE proowner <> (SELECT oid FROM keeper)
    UNION ALL
    SELECT 'rights of a superuser or of the owner for the service' FROM pg_roles, keeper
    WHERE rolname = service_role()
        AND (rolsuper OR rolcreaterole OR rolbypassrls OR pg_has_role(pg_roles.oid, keeper.oid, 'MEMBER'))
)
SELECT replace(line, format(' %I.', current_schema()), ' ') AS line FROM lines ORDER BY line COLLATE "C"
