//! An operator who lets the count of attempts at messages start again, by a tag on their records.
//!
//! It has random numbers of its own, so that schedules without one are what they were before.

use std::collections::HashSet;

use crate::groups::Group;
use crate::random::Random;
use crate::world::World;

pub struct Operator {
    random: Random,
    /// Steps in a thousand in which a record is tagged.
    retries: i64,
    /// The subscription and sequence number of each message whose record was tagged, with the number of the attempt.
    tagged: HashSet<(String, i64, u32)>,
}

impl Operator {
    pub fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x0008_E781_E500);
        Self { retries: random.pick(&[0, 0, 0, 10, 50]), random, tagged: HashSet::new() }
    }
}

impl World {
    /// An operator may tag a record.
    pub fn retry(&mut self) {
        if !self.operator.random.chance(self.operator.retries) {
            return;
        }
        let records = self.groups.values().filter(|group| group.is_managed() && !group.is_live());
        let records: Vec<_> = records.map(|group| group.name.clone()).collect();
        if records.is_empty() {
            return;
        }
        let (name, key) = (self.operator.random.pick(&records.iter().collect::<Vec<_>>()).clone(), ["retry", "Retry"]);
        let (key, now) = (self.operator.random.pick(&key), self.now());
        let Some(group) = self.groups.get_mut(&name) else { return };
        group.tags.insert(key.into(), "true".into());
        group.retried_since.get_or_insert(now);
        let place = (group.subscription().to_owned(), group.number());
        self.operator.tagged.insert((place.0.clone(), place.1, group.attempt()));
        // Whatever anybody remembers of the message's attempts counts no more.
        self.vanished.remove(&place);
        self.ended.entry(place).and_modify(|(_, _, may_be_lost)| *may_be_lost = true);
        self.fires("record tagged for a retry");
        self.tell(|| format!("an operator tags {name} {key}=true"));
    }

    /// A count starts again only where an operator wants it to.
    pub fn check_retry(&mut self, group: &Group) {
        let before = group.attempts_before();
        if before == 0 || before + 1 != group.attempt() {
            return;
        }
        if self.operator.tagged.contains(&(group.subscription().to_owned(), group.number(), before)) {
            self.fires("count of attempts started again");
        } else if !self.names_alone_tell() {
            self.violated(format!("{} starts its message's count again, and nobody has asked for it", group.name));
        }
    }
}
