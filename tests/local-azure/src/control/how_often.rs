//! How often a fault happens.

use uuid::Uuid;

use super::Refusal;
use crate::occurrence::Occurrence;

/// How often. Without a seed a random one is used, and shown with the fault, so that it can be given the next time.
pub(super) fn occurrence(
    times: Option<u32>,
    probability: Option<f64>,
    seed: Option<u64>,
) -> Result<Occurrence, Refusal> {
    let occurrence = times.map_or_else(Occurrence::default, |times| Occurrence::default().times(times));
    match (probability, seed) {
        (Some(probability), seed) if (0.0..=1.0).contains(&probability) => {
            let seed = seed.unwrap_or_else(|| Uuid::new_v4().as_fields().0.into());
            Ok(occurrence.with_probability(probability, seed))
        }
        (Some(_), _) => Err(Refusal::Invalid("a probability is between 0 and 1".to_owned())),
        (None, Some(_)) => Err(Refusal::Invalid("a seed is of use only with a probability".to_owned())),
        (None, None) => Ok(occurrence),
    }
}
