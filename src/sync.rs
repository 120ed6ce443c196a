//! A lock that a panic does not close for ever.

use std::sync::{self, MutexGuard, PoisonError};

/// [`std::sync::Mutex`] without its poisoning.
///
/// The standard mutex refuses all callers once a thread has panicked while it held the lock, because the data may be
/// half-changed. The scaler changes guarded data in single steps (it replaces a value, adds or removes an entry), and a pass
/// that panics must not stop all later passes.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn what_a_panic_left_locked_can_be_locked_again() {
        let mut number = Mutex::new(1);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let mut locked = number.lock();
            *locked = 2;
            panic!("while it is locked");
        }));
        assert!(panicked.is_err());
        assert_eq!(*number.lock(), 2);
        assert_eq!(*number.get_mut(), 2);
        assert_eq!(number.into_inner(), 2);
    }
}
