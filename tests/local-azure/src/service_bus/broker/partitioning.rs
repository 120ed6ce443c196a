//! Topics whose messages are divided among brokers.
//!
//! What is known: a sequence number is the partition's id in the upper 16 bits and a number of the partition's own in the
//! others, ids are not limited to 0 to 15 (azure-service-bus#239), and a peek is answered by the broker that answers
//! first. Java's tests expect that a peek at a message's own number finds it. How pages follow one another is
//! not documented, so there are several ways.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Where the partition's id begins in a sequence number.
const ID_SHIFT: u32 = 48;

/// How the messages of a topic are divided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Partitioning {
    /// The ids of the partitions, which get messages in turns; below 32,768.
    pub ids: Vec<u16>,
    /// Which messages a page of a peek has.
    pub order: PeekOrder,
}

/// Which messages a page has, of those from the requested sequence number on. A message with exactly that number always comes
/// first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeekOrder {
    /// Those of one partition: the one that has the requested number, else another one each time.
    #[default]
    FirstBroker,
    /// Those of the first partition that has any, in the order of numbers.
    OnePartitionAPage,
    /// Those of all partitions, in turns.
    Interleaved,
    /// Those of all partitions, in a random order that is the same in every run.
    Unsorted,
}

impl Default for Partitioning {
    /// 16 partitions, like a topic of the Standard tier.
    fn default() -> Self {
        Self { ids: (0..16).collect(), order: PeekOrder::default() }
    }
}

impl Partitioning {
    /// The partition of the topic's message of this number.
    pub(crate) fn partition_of(&self, number_in_topic: i64) -> Option<u16> {
        let turn = usize::try_from(number_in_topic).unwrap_or_default().checked_rem(self.ids.len())?;
        self.ids.get(turn).copied()
    }

    /// Puts the numbers of a page, which are not below `from` and ascend, in the order in which they are given. `turn`
    /// counts the peeks.
    pub(crate) fn page(&self, numbers: &[i64], from: i64, turn: usize) -> Vec<i64> {
        let of_partition = |id: i64| numbers.iter().copied().filter(|number| partition(*number) == id).collect();
        let mut page: Vec<i64> = match self.order {
            PeekOrder::OnePartitionAPage => {
                numbers.first().map_or_else(Vec::new, |first| of_partition(partition(*first)))
            }
            PeekOrder::FirstBroker => {
                let brokers: BTreeSet<i64> = numbers.iter().map(|number| partition(*number)).collect();
                // Clients begin with 0 and 1, which belong to no partition.
                let asked = Some(partition(from)).filter(|id| from > 1 && brokers.contains(id));
                let any = || brokers.iter().nth(turn.checked_rem(brokers.len())?).copied();
                asked.or_else(any).map_or_else(Vec::new, of_partition)
            }
            PeekOrder::Interleaved => {
                let mut page = numbers.to_vec();
                page.sort_by_key(|number| (number - (partition(*number) << ID_SHIFT), *number));
                page
            }
            PeekOrder::Unsorted => {
                let mut page = numbers.to_vec();
                fastrand::Rng::with_seed(turn as u64).shuffle(&mut page);
                page
            }
        };
        if let Some(exact) = page.iter().position(|number| *number == from) {
            page[..=exact].rotate_right(1);
        }
        page
    }
}

/// The sequence number of a partition's message.
pub(crate) fn sequence_number(id: u16, number_in_partition: i64) -> i64 {
    (i64::from(id & 0x7fff) << ID_SHIFT) | number_in_partition
}

fn partition(sequence_number: i64) -> i64 {
    sequence_number >> ID_SHIFT
}
