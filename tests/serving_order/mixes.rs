//! What comes, and what workers make of it.

use std::ops::Range;

use crate::random::Random;
use crate::world::Seconds;

const MINUTE: Seconds = 60;

/// Messages and workers.
#[derive(Clone, Debug)]
pub struct Mix {
    pub name: &'static str,
    /// How many messages come at once.
    pub burst: usize,
    /// The time between two bursts, on average.
    pub every: Seconds,
    /// How many bursts there are.
    pub times: usize,
    /// How long a job takes.
    pub job: Range<Seconds>,
    /// Messages in a thousand whose file has 10 GB. All others have 100 MB.
    pub large: i64,
    /// Deliveries in a thousand whose worker dies.
    pub crashes: i64,
    /// Workers in a thousand that hang, half of them after they have settled their message.
    pub hangs: i64,
    /// Whether a worker takes one message after the other until none is left.
    pub loops: bool,
    /// What a worker exits with that has found no message.
    pub idle_exit: i64,
    pub cap: u32,
    pub max_runtime_minutes: Option<u64>,
}

/// A message every 40 s for three hours, and workers that do well.
const TRICKLE: Mix = Mix {
    name: "trickle",
    burst: 1,
    every: 40,
    times: 240,
    job: 30..5 * MINUTE,
    large: 0,
    crashes: 0,
    hangs: 0,
    loops: false,
    idle_exit: 0,
    cap: 200,
    max_runtime_minutes: None,
};

/// 200 messages at once, every half an hour.
const BURSTS: Mix = Mix { name: "bursts", burst: 200, every: 30 * MINUTE, times: 3, ..TRICKLE };

/// More than the cap.
const BACKLOG: Mix = Mix { name: "backlog of 400, cap 20", burst: 400, every: MINUTE, times: 1, cap: 20, ..TRICKLE };

const SHORT: Range<Seconds> = 5..30;
const LONG: Range<Seconds> = 10 * MINUTE..60 * MINUTE;

pub fn all() -> Vec<Mix> {
    vec![
        TRICKLE,
        Mix { name: "trickle, short jobs", job: SHORT, ..TRICKLE },
        Mix { name: "trickle, long jobs", job: LONG, ..TRICKLE },
        Mix { name: "trickle, 10 % large", large: 100, ..TRICKLE },
        Mix { name: "trickle, 10 % crash", crashes: 100, ..TRICKLE },
        Mix { name: "trickle, 5 % hang", hangs: 50, ..TRICKLE },
        Mix { name: "trickle, looping", loops: true, ..TRICKLE },
        BURSTS,
        Mix { name: "bursts, short jobs", job: SHORT, ..BURSTS },
        Mix { name: "bursts, long jobs", job: LONG, ..BURSTS },
        Mix { name: "bursts, long jobs, exit 1 if idle", job: LONG, idle_exit: 1, ..BURSTS },
        Mix { name: "bursts, 10 % large", large: 100, ..BURSTS },
        Mix { name: "bursts, 10 % crash", crashes: 100, ..BURSTS },
        Mix { name: "bursts, 5 % hang, at most 1 h", hangs: 50, max_runtime_minutes: Some(60), ..BURSTS },
        Mix { name: "bursts, looping", loops: true, ..BURSTS },
        BACKLOG,
        Mix { name: "backlog of 100, cap 20, long jobs", burst: 100, job: LONG, ..BACKLOG },
    ]
}

impl Mix {
    /// When the messages come.
    pub fn arrivals(&self, random: &mut Random) -> Vec<Seconds> {
        let mut at = 0;
        let mut arrivals = Vec::new();
        for _ in 0..self.times {
            at += random.within(self.every / 2..self.every * 3 / 2);
            arrivals.extend(std::iter::repeat_n(at, self.burst));
        }
        arrivals
    }
}
