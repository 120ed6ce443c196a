//! Errors as the log shows them.

use std::error::Error;
use std::fmt;
use std::iter;
use std::sync::Arc;

/// An error and its causes, in one line.
///
/// No text is repeated: some errors include the text of their cause, and an error that outlasted all retries has no other
/// text.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(error.source(), |cause| (*cause).source()).map(ToString::to_string);
    causes.fold(error.to_string(), |said, cause| if said.contains(&cause) { said } else { format!("{said}: {cause}") })
}

/// The cause of an error, shared by the error's clones. Its text is its whole [`chain`].
///
/// Two causes are equal if their texts are.
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }
}

impl From<String> for Cause {
    fn from(words: String) -> Self {
        Self(Box::<dyn Error + Send + Sync>::from(words).into())
    }
}

impl From<&str> for Cause {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(&*self.0))
    }
}

impl fmt::Debug for Cause {
    /// Only its text, because the `Debug` of a library's error may show secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", chain(&*self.0))
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Cause {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file cannot be read")]
    struct Unreadable(#[source] Cause);

    fn refused() -> std::io::Error {
        std::io::ErrorKind::ConnectionRefused.into()
    }

    #[test]
    fn a_cause_that_an_error_has_in_its_own_text_is_said_once() {
        assert_eq!(chain(&Unreadable("it is gone".into())), "the file cannot be read: it is gone");
        assert_eq!(chain(&Unreadable(Cause::new(Unreadable("the file".into())))), "the file cannot be read");
    }

    #[test]
    fn a_cause_reads_as_all_that_led_to_it_and_keeps_it() {
        let cause = Cause::new(Unreadable(Cause::new(refused())));
        assert_eq!(cause.to_string(), "the file cannot be read: connection refused");
        let source = iter::successors(Some(&cause as &(dyn Error + 'static)), |error| (*error).source()).last();
        assert!(source.unwrap().is::<std::io::Error>());
    }

    #[test]
    fn causes_are_equal_if_they_read_the_same() {
        assert_eq!(Cause::new(refused()), "connection refused".into());
        assert_ne!(Cause::new(refused()), "connection reset".into());
    }
}
