//! What every database must do for the log: one suite, stamped onto each of them.

/// Makes a test of each function for each database: with runs so short that the index holds
/// nearly everything, and with longer ones, that leave much after the last and pack small logs.
macro_rules! contract {
    ($($name:ident),+ $(,)?) => {
        contract!(@on sqlite_short_runs, crate::support::Subject::sqlite(16), $($name),+);
        contract!(@on sqlite, crate::support::Subject::sqlite(256), $($name),+);
        contract!(@on postgres_short_runs, crate::support::Subject::postgres(16), $($name),+);
        contract!(@on postgres, crate::support::Subject::postgres(256), $($name),+);
    };
    (@on $database:ident, $subject:expr, $($name:ident),+) => {
        mod $database {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($subject.await).await;
                }
            )+
        }
    };
}

mod away;
mod checking;
mod counting;
mod idempotency;
mod opening;
mod order;
mod organizations;
mod paging;
mod permanence;
mod proxy;
mod readings;
mod removal;
mod roundtrip;
mod schema;
mod support;
#[cfg(unix)]
mod switchover;
mod writer;
