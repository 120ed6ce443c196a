//! Asks whoever sits at the terminal.

use std::io::{self, IsTerminal as _, Write as _};

use tokio::task::spawn_blocking;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// The standard input is no terminal.
    NobodyToAsk,
}

pub(super) async fn ask(records: usize) -> Answer {
    if !io::stdin().is_terminal() {
        return Answer::NobodyToAsk;
    }
    let messages = if records == 1 { "this message".to_owned() } else { format!("these {records} messages") };
    // Nothing is to be done if it cannot be shown: then nobody answers.
    _ = write!(io::stderr(), "Start the count of attempts at {messages} again? [y/N] ");
    let answer = spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    match answer.await {
        Ok(Ok(line)) => meant(&line),
        _ => Answer::No,
    }
}

fn meant(line: &str) -> Answer {
    let is_yes = ["y", "yes"].iter().any(|yes| line.trim().eq_ignore_ascii_case(yes));
    if is_yes { Answer::Yes } else { Answer::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for yes in ["y\n", "Y", " yes \r\n", "YES"] {
            assert_eq!(meant(yes), Answer::Yes, "{yes:?}");
        }
        for no in ["", "\n", "n", "no", "yess", "j", "1"] {
            assert_eq!(meant(no), Answer::No, "{no:?}");
        }
    }
}
