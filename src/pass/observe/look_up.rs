//! Peeks messages that the read did not reach one by one, at their own sequence numbers.

use std::collections::BTreeSet;

use super::begin_elsewhere;
use super::messages::{Reader, TimedPeeker};
use super::paging::FIRST_SEQUENCE_NUMBER;
use crate::message::partition_of;
use crate::plan::{ObservedSubscription, Read, Reading};
use crate::services::{PeekError, Peeker};

/// The most messages that a pass looks up in a subscription: at some 20 ms each they take 2 s, a small part of the
/// subscription's time.
const MAX_LOOK_UPS: usize = 100;

/// Why a message is looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LookUp {
    /// It has a group.
    OfGroup,
    /// It has no group, but memory has it until it is gone.
    Remembered,
}

impl Reader<'_> {
    /// Looks up messages that the read did not reach, or did not find.
    pub(super) async fn look_up<P: Peeker>(
        &self,
        reading: &Reading<'_>,
        peeker: &mut TimedPeeker<'_, P>,
        observed: &mut ObservedSubscription,
    ) -> Result<(), PeekError> {
        for (number, of) in self.to_look_up(reading, observed) {
            // If any broker may answer, a peek at the first number is a peek at the start, which may show another partition.
            let is_ambiguous = number == FIRST_SEQUENCE_NUMBER && observed.covered_to == 0;
            let count = if is_ambiguous { self.observer.settings.peek_page.get() } else { 1 };
            let page = peeker.peek(number, count).await?;
            let is_answered = page.iter().any(|message| partition_of(message.sequence_number) == 0);
            if let Some(message) = page.into_iter().find(|message| message.sequence_number == number) {
                // A message without a group must not get in before another with its id that the read found.
                if of == LookUp::OfGroup {
                    observed.messages.push(message);
                }
            } else if !is_ambiguous || is_answered || observed.read == Read::ToTheEnd {
                observed.absent.insert(number);
            }
        }
        Ok(())
    }

    /// The messages of groups first, then those that would otherwise stay in memory for ever.
    fn to_look_up(&self, reading: &Reading<'_>, observed: &ObservedSubscription) -> Vec<(i64, LookUp)> {
        let ObservedSubscription { name, covered_to, .. } = observed;
        let read: BTreeSet<_> = observed.messages.iter().map(|message| message.sequence_number).collect();
        let mut numbers = reading.to_look_up(name, *covered_to);
        let mut remembered = if *covered_to == 0 { reading.to_forget(name, 0) } else { Vec::new() };
        remembered.retain(|number| numbers.binary_search(number).is_err());
        for numbers in [&mut numbers, &mut remembered] {
            numbers.retain(|number| !read.contains(number));
            begin_elsewhere(numbers, MAX_LOOK_UPS, self.observer.turn);
        }
        let of_groups = numbers.into_iter().map(|number| (number, LookUp::OfGroup));
        of_groups.chain(remembered.into_iter().map(|number| (number, LookUp::Remembered))).take(MAX_LOOK_UPS).collect()
    }
}
