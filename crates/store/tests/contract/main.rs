//! What every database must do for the log: one suite, stamped onto each of them.

/// Makes a test of each function for each database.
macro_rules! contract {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::support::Subject::sqlite()).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::support::Subject::postgres().await).await;
                }
            )+
        }
    };
}

mod away;
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
mod writer;
