//! What the platform does by itself: invoices on the first of each month, and payments.

use activity_logs_model::{Outcome, Timestamp};
use serde_json::{Value, json};

use super::cast::{BILLING, PLATFORM};
use super::play::{DAY, HOUR, Item, Play};
use super::thing::Effect;
use super::things::mishap;

/// What is done about the invoice of a month.
pub(super) struct Bill {
    kind: &'static str,
    action: &'static str,
    outcome: Outcome,
}

impl<'a> Play<'a> {
    /// The bills of the months that begin while the organization is there.
    pub(super) fn bills(&self) -> Vec<(Timestamp, Item<'a>)> {
        let mut bills = Vec::new();
        let today = self.now.as_micros() / 1_000_000 / DAY;
        let midnights = (today - self.home.days + 1..=today)
            .map(|day| Timestamp::EPOCH.plus_seconds(day * DAY))
            .filter(|midnight| *midnight > self.clock && self.home.id != PLATFORM);
        for first in midnights.filter(|midnight| midnight.to_string()[..10].ends_with("-01")) {
            let mut due = |hours, kind, action, outcome| {
                let at = first.plus_seconds(hours * HOUR);
                if at < self.now.plus_seconds(-HOUR) {
                    bills.push((at, Item::Bill(Bill { kind, action, outcome })));
                }
            };
            due(2, "Invoices", "Create", Outcome::Success);
            due(3, "Payments", "Create", Outcome::Success);
            if self.home.pays_by.starts_with("card") {
                due(30, "Payments", "Update", Outcome::Failure);
            }
            due(75, "Payments", "Update", Outcome::Success);
        }
        bills
    }

    /// The number of the invoice that was the last one at this time.
    pub(super) fn invoice_number(&self) -> String {
        format!("INV-{}-{}", &self.clock.to_string()[..7], self.home.id.to_uppercase())
    }

    /// What is billed: the workspaces as they are, with amounts that add up.
    fn invoice(&self) -> Value {
        let (mut lines, mut subtotal) = (Vec::new(), 0);
        for (_, thing) in self.of_kind("Workspace") {
            let hours = 720 * thing.body["size"].as_u64().unwrap_or(1);
            let price = if thing.body["gpu"].is_null() { 18 } else { 240 };
            subtotal += hours * price;
            lines.push(json!({"item": thing.name(), "node_hours": hours,
                "unit_price": euros(price), "amount": euros(hours * price)}));
        }
        let tax = subtotal * 19 / 100;
        json!({"number": self.invoice_number(), "currency": "EUR", "due_days": 14, "lines": lines,
            "subtotal": euros(subtotal), "tax": euros(tax), "total": euros(subtotal + tax)})
    }

    /// Makes the entry of what is due.
    pub(super) fn settle(&mut self, Bill { kind, action, outcome }: Bill) {
        let (number, invoice) = (self.invoice_number(), self.invoice());
        let payment = format!("Payment of {number}");
        let effect = match (kind, action, outcome) {
            ("Invoices", ..) => Effect::on(number, Value::Null, invoice),
            (_, "Create", _) => {
                let state = json!({"invoice": number, "amount": invoice["total"], "currency": "EUR",
                    "method": self.home.pays_by, "status": "pending"});
                Effect::on(payment, Value::Null, state)
            }
            (.., Outcome::Success) => Effect::on(payment, json!("pending"), json!("settled")),
            _ => Effect::on(payment, json!("pending"), json!({"error": mishap(kind, action)})),
        };
        let sitting = self.sit_down(&BILLING);
        self.write(&sitting, (kind, action), outcome, effect);
    }
}

fn euros(cents: u64) -> f64 {
    cents as f64 / 100.0
}
