//! What failing work costs: a pass a minute, over groups that end as soon as they are created.

use super::*;

/// A region in which groups end at once.
struct Region {
    policy: Policy,
    memory: Memory,
    groups: Vec<ObservedGroup>,
    /// Messages by subscription, and whether workers settle them there.
    subscriptions: Vec<(ObservedSubscription, bool)>,
    minute: i64,
    /// Whether the scaler is restarted before each pass.
    forgetful: bool,
}

fn region(max_instances: u32, subscriptions: &[(&str, i64, bool)]) -> Region {
    let read = |(name, count, works): &(&str, i64, bool)| (subscription(name, messages(1..=*count)), *works);
    Region {
        policy: policy(max_instances),
        memory: Memory::default(),
        groups: Vec::new(),
        subscriptions: subscriptions.iter().map(read).collect(),
        minute: 0,
        forgetful: false,
    }
}

impl Region {
    /// Makes a pass, and returns which messages got a group.
    fn pass(&mut self) -> Vec<String> {
        if self.forgetful {
            self.memory = Memory::default();
        }
        let read = self.subscriptions.iter().map(|(subscription, _)| subscription.clone()).collect();
        let plan = planned_by(&self.policy, &self.memory, at(self.minute * 60), self.groups.clone(), read);
        self.memory = plan.memory.clone();
        self.groups.retain(|observed| !deleted(&plan).contains(&observed.group.name.as_str()));
        for Create { message, spec, .. } in &plan.creates {
            let (of, works) = self.subscriptions.iter_mut().find(|(of, _)| of.name == message.subscription).unwrap();
            let (number, code) = (message.sequence_number, i64::from(!*works));
            if *works {
                of.messages.retain(|message| message.sequence_number != number);
            }
            let ended = exited(code, self.minute * 60 + 1);
            self.groups.push(attempt(of.name.as_str(), number, spec.tags["attempt"].parse().unwrap(), ended));
        }
        self.minute += 1;
        created(&plan)
    }

    /// Makes a pass a minute, and returns how many groups that created.
    fn passes(&mut self, minutes: u32) -> usize {
        (0..minutes).map(|_| self.pass().len()).sum()
    }
}

#[test]
fn a_message_whose_container_always_dies_costs_6_in_its_first_hour_and_2_an_hour_then_until_it_is_parked() {
    for forgetful in [false, true] {
        let mut region = Region { forgetful, ..region(200, &[("a", 1, false)]) };
        assert_eq!(region.passes(60), 6);
        for _ in 0..4 {
            assert!(region.passes(30) <= 1);
        }
        assert_eq!(region.passes(24 * 60), 0, "it is parked after 10 attempts");
    }
}

#[test]
fn a_broken_image_costs_no_more_than_two_full_caps_in_an_hour_and_holds_nobody_else_up() {
    for (cap, forgetful) in [(200, false), (200, true), (50, false), (50, true), (10, false), (10, true)] {
        let mut region = Region { forgetful, ..region(cap, &[("broken", 200, false), ("good", 0, true)]) };
        let mut cost = 0;
        for minute in 0..60 {
            region.subscriptions[1].0.messages.push(message(1000 + minute, &format!("m{}", 1000 + minute)));
            let made = region.pass();
            let good = made.iter().filter(|name| name.starts_with("good/")).count();
            assert_eq!(good, 1, "the good message is served at once");
            cost += made.len() - good;
        }
        assert!(cost <= 2 * cap as usize, "{cost} of {cap}, forgetful {forgetful}");
        let groups = region.groups.len();
        assert!(groups <= groups::retention::limit(cap) + 2, "{groups} groups with a cap of {cap}");
    }
}

#[test]
fn when_the_image_works_again_all_are_served_in_five_passes_after_the_next_one_is_let_through() {
    for forgetful in [false, true] {
        let mut region = Region { forgetful, ..region(200, &[("a", 200, false)]) };
        region.passes(35);
        region.subscriptions[0].1 = true;
        while region.pass().is_empty() {
            assert!(region.minute < 35 + 31, "the breaker lets one through every half an hour at least");
        }
        region.passes(4);
        assert_eq!(region.subscriptions[0].0.messages.len(), 0);
    }
}
