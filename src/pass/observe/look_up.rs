//! Looks at messages one by one that a read did not come to, at their own sequence numbers.

use std::collections::BTreeSet;

use super::begin_elsewhere;
use super::messages::{Reader, TimedPeeker};
use super::paging::FIRST_SEQUENCE_NUMBER;
use crate::message::partition_of;
use crate::plan::{ObservedSubscription, Read, Reading};
use crate::services::{PeekError, Peeker};

/// Messages that are looked up in a subscription and pass: at some 20 ms each they take 2 s, a small part of the
/// subscription's share.
const MAX_LOOK_UPS: usize = 100;

/// Whose message is looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LookUp {
    OfGroup,
    /// It has no group, but is remembered until it is gone.
    Remembered,
}

impl Reader<'_> {
    /// Looks for messages that the read did not come to, or did not find.
    pub(super) async fn look_up<P: Peeker>(
        &self,
        reading: &Reading<'_>,
        peeker: &mut TimedPeeker<'_, P>,
        observed: &mut ObservedSubscription,
    ) -> Result<(), PeekError> {
        for (number, of) in self.to_look_up(reading, observed) {
            // Where any broker may answer, a look at the first number is one at the start, which may be any other's.
            let is_ambiguous = number == FIRST_SEQUENCE_NUMBER && observed.covered_to == 0;
            let count = if is_ambiguous { self.observer.settings.peek_page.get() } else { 1 };
            let page = peeker.peek(number, count).await?;
            let is_answered = page.iter().any(|message| partition_of(message.sequence_number) == 0);
            if let Some(message) = page.into_iter().find(|message| message.sequence_number == number) {
                // Another of its id may have been read on, which this one must not turn out to come before.
                if of == LookUp::OfGroup {
                    observed.messages.push(message);
                }
            } else if !is_ambiguous || is_answered || observed.read == Read::ToTheEnd {
                observed.absent.insert(number);
            }
        }
        Ok(())
    }

    /// What groups need to know first, then what would be remembered for ever otherwise.
    fn to_look_up(&self, reading: &Reading<'_>, observed: &ObservedSubscription) -> Vec<(i64, LookUp)> {
        let ObservedSubscription { name, covered_to, .. } = observed;
        let read: BTreeSet<_> = observed.messages.iter().map(|message| message.sequence_number).collect();
        let mut numbers = reading.to_look_up(name, *covered_to);
        let mut remembered = if *covered_to == 0 { reading.to_forget(name, 0) } else { Vec::new() };
        remembered.retain(|number| numbers.binary_search(number).is_err());
        for numbers in [&mut numbers, &mut remembered] {
            numbers.retain(|number| !read.contains(number));
            begin_elsewhere(numbers, MAX_LOOK_UPS, self.observer.time);
        }
        let of_groups = numbers.into_iter().map(|number| (number, LookUp::OfGroup));
        of_groups.chain(remembered.into_iter().map(|number| (number, LookUp::Remembered))).take(MAX_LOOK_UPS).collect()
    }
}
