//! The role that every connection works as, and the proof that it can't change the log.

use sqlx::postgres::PgConnection;

use crate::Error;

/// Every connection works as the role that can't change or remove entries.
pub(super) const WORK_AS_SERVICE: &str = "SELECT set_config('role', service_role(), false)";

/// Whether there is the role with its rights; a database restored from a dump has it not.
const IS_PREPARED: &str = "SELECT COALESCE(has_table_privilege(\
     (SELECT oid FROM pg_roles WHERE rolname = service_role()), 'entries', 'INSERT'), false)";

/// What takes the protection of the log away from this connection, in words.
///
/// The role of a session can be taken back by whoever speaks SQL on it, but not what the role may
/// do: so this looks at both, and at all roles that it could become.
const FLAWS: &str = "WITH me AS (SELECT oid, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user), \
     kept AS (SELECT oid, relname, relowner FROM pg_class \
     WHERE oid IN ('entries'::regclass, 'logs'::regclass, 'service_head'::regclass)) \
     SELECT format('the connection works as %s instead of %s', current_user, service_role()) \
     WHERE current_user <> service_role() \
     UNION ALL SELECT format('%s is a superuser', current_user) FROM me WHERE rolsuper \
     UNION ALL SELECT format('%s may make itself a member of other roles', current_user) FROM me WHERE rolcreaterole \
     UNION ALL SELECT format('%s belongs to the owner of %s', current_user, relname) FROM kept \
     WHERE pg_has_role(current_user, relowner, 'MEMBER') \
     UNION ALL SELECT format('%s may %s %s', current_user, privilege, relname) FROM kept, \
     unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) AS privilege WHERE has_table_privilege(oid, privilege) \
     UNION ALL SELECT format('%s may UPDATE entries', current_user) \
     WHERE has_any_column_privilege('entries', 'UPDATE') \
     UNION ALL SELECT format('%s may UPDATE tombstones', current_user) \
     WHERE has_column_privilege('logs', 'deleted_at', 'UPDATE')";

/// Makes the role and gives it its rights where that has not been done.
pub(super) async fn prepare(owner: &mut PgConnection) -> Result<(), Error> {
    if !sqlx::query_scalar::<_, bool>(IS_PREPARED).fetch_one(&mut *owner).await? {
        sqlx::query("CALL prepare_service_role()").execute(owner).await?;
    }
    Ok(())
}

/// Proves that this connection can't change or remove entries.
///
/// # Errors
/// [`Error::Unprotected`] says why it can: a pooler or a setting of the database took the role
/// away, or somebody gave the role more rights.
pub(super) async fn prove(connection: &mut PgConnection) -> Result<(), Error> {
    let flaws: Vec<String> = sqlx::query_scalar(FLAWS).fetch_all(connection).await?;
    if flaws.is_empty() { Ok(()) } else { Err(Error::Unprotected(flaws.join("; "))) }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use sqlx::Connection as _;

    use super::*;
    use crate::testing::TestDatabase;
    use crate::{Options, Store};

    /// Settings and poolers can take the role away that a connection began with.
    #[tokio::test]
    async fn a_connection_that_lost_its_role_proves_nothing() {
        let database = TestDatabase::postgres().await;
        let store = Store::open(database.url(), Options::default()).await.expect("it opens");
        store.close().await;
        let mut connection = PgConnection::connect(database.url()).await.expect("an answer");
        for _ in 0..2 {
            let error =
                prove(&mut connection).await.expect_err("it works as the owner").to_string();
            assert!(error.contains("works as postgres instead of activity_logs_test_"), "{error}");
            sqlx::query(WORK_AS_SERVICE).execute(&mut connection).await.expect("the role is taken");
            prove(&mut connection).await.expect("it works as the role");
            sqlx::query("RESET ROLE").execute(&mut connection).await.expect("and back");
        }
    }
}
