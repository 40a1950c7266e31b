//! Transactions that write, and what becomes of their connections.

use std::ops::{Deref, DerefMut};

use sqlx::Executor as _;
use sqlx::pool::PoolConnection;

use super::{BEGIN, Connection, Db};
use crate::Error;

/// A transaction that writes. Its connection goes back to the pool only if the transaction came to
/// an end; whatever else happens to it (a full disk, a server that became a standby, a task that
/// was aborted), the next transaction begins on a new one.
pub(super) struct Writing {
    connection: PoolConnection<Db>,
    has_ended: bool,
}

pub(super) async fn begin_write(pool: &sqlx::Pool<Db>) -> Result<Writing, sqlx::Error> {
    let connection = pool.acquire().await?;
    let mut transaction = Writing { connection, has_ended: false };
    transaction.connection.execute(BEGIN).await?;
    Ok(transaction)
}

impl Writing {
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.end("COMMIT").await
    }

    pub(super) async fn rollback(self) -> Result<(), sqlx::Error> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        self.connection.execute(statement).await?;
        self.has_ended = true;
        Ok(())
    }

    /// Ends it after an error, which it returns. If the data were at fault, the connection stays.
    pub(super) async fn fail(self, error: Error) -> Error {
        if error.is_refusal()
            && let Err(error) = self.rollback().await
        {
            tracing::debug!(%error, "a connection is given up");
        }
        error
    }
}

impl Deref for Writing {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.has_ended {
            self.connection.close_on_drop();
        }
    }
}
