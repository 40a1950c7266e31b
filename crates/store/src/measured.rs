//! What is under way at the moment, as gauges.

/// An amount that is in a gauge as long as this lives.
pub(crate) struct Measured {
    name: &'static str,
    amount: f64,
}

impl Measured {
    /// One more.
    pub(crate) fn one(name: &'static str) -> Self {
        Self::amount(name, 1.0)
    }

    /// So much more.
    pub(crate) fn amount(name: &'static str, amount: f64) -> Self {
        metrics::gauge!(name).increment(amount);
        Self { name, amount }
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        metrics::gauge!(self.name).decrement(self.amount);
    }
}
