//! Who and where: the organizations of the sample data, and the people who act in them.

/// What somebody may do in one place, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A program that tends workspaces.
    Machine,
    /// Holds grants of single workspaces without being a member.
    Guest,
    /// Works there.
    Member,
    /// Runs the organization.
    Manager,
    /// Runs the platform.
    Administrator,
}

/// What somebody is in one place.
#[derive(Debug)]
pub(super) struct Part {
    /// The organization's id, or [`PLATFORM`].
    pub(super) place: &'static str,
    /// What they may do there.
    pub(super) rank: Rank,
    /// The workspaces they are limited to; empty is no limit.
    pub(super) only: &'static [&'static str],
    /// How often they are the one at work.
    pub(super) weight: u32,
}

/// Somebody who acts.
#[derive(Debug)]
pub(super) struct Actor {
    /// Their id on the platform.
    pub(super) id: &'static str,
    /// Their name.
    pub(super) name: &'static str,
    /// Their e-mail address; programs have none.
    pub(super) email: Option<&'static str>,
    /// What they are where.
    pub(super) parts: &'static [Part],
}

/// A place where things happen: an organization, or the platform.
#[derive(Debug)]
pub(super) struct Home {
    /// The organization's id, or [`PLATFORM`].
    pub(super) id: &'static str,
    /// Its name when the data begins.
    pub(super) name: &'static str,
    /// Where its people are, in hours, so that their working hours differ.
    pub(super) utc_offset: i64,
    /// How long before the end it begins; less than [`SPAN_DAYS`] shows its founding.
    pub(super) days: i64,
    /// How often somebody sits down to work there.
    pub(super) sessions: usize,
    /// How many workspaces it has when the data begins.
    pub(super) workspaces: usize,
    /// How it pays; cards are declined once.
    pub(super) pays_by: &'static str,
}

/// Stands for no organization; no organization can have an empty id.
pub(super) const PLATFORM: &str = "";
/// How far back the data goes.
pub(super) const SPAN_DAYS: i64 = 56;

impl Home {
    /// Whether the data shows how it came to be.
    pub(super) fn is_young(&self) -> bool {
        self.days < SPAN_DAYS
    }
}

/// The places. Their order decides which names their workspaces get.
#[rustfmt::skip] // A table: one place a line.
pub(super) static HOMES: [Home; 6] = [
    Home { id: "acme", name: "Acme Robotics", utc_offset: 1, days: SPAN_DAYS, sessions: 205, workspaces: 4, pays_by: "direct debit" },
    Home { id: "umbrella", name: "Umbrella Analytics", utc_offset: -5, days: SPAN_DAYS, sessions: 175, workspaces: 4, pays_by: "bank transfer" },
    Home { id: "initech", name: "Initech", utc_offset: 9, days: SPAN_DAYS, sessions: 125, workspaces: 3, pays_by: "card ending 4242" },
    Home { id: "globex", name: "Globex", utc_offset: 0, days: 34, sessions: 26, workspaces: 0, pays_by: "card ending 1881" },
    Home { id: "lumon", name: "Lumon Biotech", utc_offset: -8, days: 1, sessions: 1, workspaces: 0, pays_by: "direct debit" },
    Home { id: PLATFORM, name: "", utc_offset: 0, days: SPAN_DAYS, sessions: 55, workspaces: 0, pays_by: "" },
];

const fn part(place: &'static str, rank: Rank) -> Part {
    let weight = match rank {
        Rank::Machine | Rank::Guest | Rank::Administrator => 2,
        Rank::Member => 6,
        Rank::Manager => 7,
    };
    Part { place, rank, only: &[], weight }
}

const fn limited(place: &'static str, rank: Rank, only: &'static [&'static str]) -> Part {
    Part { only, ..part(place, rank) }
}

/// Looks at the listing over all organizations now and then.
const LOOKS_AROUND: Part = Part { weight: 1, ..part(PLATFORM, Rank::Member) };

const ADMINISTRATOR: &[Part] = &[
    Part { weight: 9, ..part(PLATFORM, Rank::Administrator) },
    part("acme", Rank::Administrator),
    part("umbrella", Rank::Administrator),
    part("initech", Rank::Administrator),
    part("globex", Rank::Administrator),
];

const fn actor(
    id: &'static str,
    name: &'static str,
    email: &'static str,
    parts: &'static [Part],
) -> Actor {
    Actor { id, name, email: Some(email), parts }
}

const fn program(id: &'static str, name: &'static str, parts: &'static [Part]) -> Actor {
    Actor { id, name, email: None, parts }
}

/// The platform's own hands, which no session belongs to.
pub(super) static BILLING: Actor = program("svc-billing", "Billing", &[]);

/// Everybody who acts, but for the billing.
#[rustfmt::skip] // A table: one person a line, as far as it goes.
pub(super) static CAST: [Actor; 25] = [
    actor("user-1", "Ada Abara", "ada@acme-robotics.example",
        &[part("acme", Rank::Manager), part("umbrella", Rank::Manager), LOOKS_AROUND]),
    actor("user-2", "Nguyễn Thị Bảo", "bao.nguyen@acme-robotics.example",
        &[part("acme", Rank::Member), LOOKS_AROUND]),
    actor("user-3", "박미나", "mina.park@acme-robotics.example",
        &[limited("acme", Rank::Member, &["ws-1", "ws-2"])]),
    actor("user-4", "João Pereira da Silva", "joao@pereira-consulting.example",
        &[limited("umbrella", Rank::Guest, &["ws-1"])]),
    actor("user-5", "Sólrún Jónsdóttir", "solrun@platform.example", ADMINISTRATOR),
    actor("user-6", "Owen Clarke", "owen@platform.example", ADMINISTRATOR),
    actor("user-7", "Łukasz Wójcik", "lukasz.wojcik@acme-robotics.example", &[part("acme", Rank::Member)]),
    actor("user-8", "Zoë van der Berg", "zoe@acme-robotics.example", &[part("acme", Rank::Manager)]),
    actor("user-9", "Kwame Mensah", "kwame.mensah@acme-robotics.example",
        &[part("acme", Rank::Member), part("globex", Rank::Member)]),
    actor("user-10", "Elif Yıldız", "elif@acme-robotics.example", &[part("acme", Rank::Member)]),
    actor("user-11", "李伟", "li.wei@umbrella.example", &[part("umbrella", Rank::Member)]),
    actor("user-12", "Дмитрий Волков", "d.volkov@umbrella.example", &[part("umbrella", Rank::Member)]),
    actor("user-13", "Siobhán O'Brien", "siobhan.obrien@umbrella.example", &[part("umbrella", Rank::Manager)]),
    actor("user-14", "אורי בן-דוד", "uri.bendavid@umbrella.example",
        &[limited("umbrella", Rank::Member, &["ws-2", "ws-3"])]),
    actor("user-15", "María José Fernández", "mj.fernandez@umbrella.example", &[part("umbrella", Rank::Member)]),
    actor("user-16", "佐藤 健", "ken.sato@initech.example", &[part("initech", Rank::Manager)]),
    actor("user-17", "فاطمة الزهراء", "fatima@initech.example", &[part("initech", Rank::Member)]),
    actor("user-18", "अनन्या शर्मा", "ananya.sharma@initech.example", &[part("initech", Rank::Member)]),
    actor("user-19", "Σοφία Παπαδοπούλου", "sofia@initech.example", &[part("initech", Rank::Member)]),
    actor("user-20", "สมชาย ใจดี", "somchai@initech.example", &[part("initech", Rank::Member)]),
    actor("user-21", "Hannah Schäfer", "hannah@globex.example", &[part("globex", Rank::Manager)]),
    actor("user-22", "Chipo Moyo", "chipo.moyo@globex.example", &[part("globex", Rank::Member)]),
    actor("user-23", "Inês Costa", "ines@lumon.example", &[part("lumon", Rank::Manager)]),
    program("svc-scheduler", "Scheduler",
        &[part("acme", Rank::Machine), part("umbrella", Rank::Machine), part("initech", Rank::Machine)]),
    program("svc-ci", "Deployment pipeline", &[part("acme", Rank::Machine), part("umbrella", Rank::Machine)]),
];
