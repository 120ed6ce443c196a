//! The comparison as a table.

use std::fmt::Write;

use crate::Compared;
use crate::rules::Rule;
use crate::tally::Tally;
use crate::world::Seconds;

/// The table, in Markdown.
pub fn of(comparison: &[Compared]) -> String {
    let mut table = "| Mix | Rule | Containers per message | Minutes per message | Wait, s: median | 95 % | longest \
                     | Later than plain | Out of memory | Dead-lettered |\n\
                     |---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for (mix, tallies) in comparison {
        for (index, (rule, tally)) in tallies.iter().enumerate() {
            let mix = if index == 0 { mix.name } else { "" };
            writeln!(table, "| {mix} | {} | {} |", rule.name(), cells(tally)).expect("strings take everything");
        }
    }
    for rule in Rule::ALL {
        let of_rule = || comparison.iter().flat_map(|(_, tallies)| tallies).filter(|(of, _)| *of == rule);
        let containers: usize = of_rule().map(|(_, tally)| tally.containers).sum();
        let messages: usize = of_rule().map(|(_, tally)| tally.messages).sum();
        let seconds: Seconds = of_rule().map(|(_, tally)| tally.container_seconds).sum();
        let later: usize = of_rule().map(|(_, tally)| tally.later_than_plain).sum();
        let killed: usize = of_rule().map(|(_, tally)| tally.out_of_memory).sum();
        let lost: usize = of_rule().map(|(_, tally)| tally.dead_lettered).sum();
        let mix = if rule == Rule::Plain { "**all**" } else { "" };
        let (rule, containers) = (rule.name(), thousandths(containers * 1000 / messages));
        let minutes = minutes(seconds, messages);
        writeln!(table, "| {mix} | {rule} | {containers} | {minutes} | | | | {later} | {killed} | {lost} |")
            .expect("strings take everything");
    }
    table
}

fn cells(tally: &Tally) -> String {
    let mut waits: Vec<_> = tally.waits.values().copied().collect();
    waits.sort_unstable();
    let wait = |percent| waits.get(waits.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default();
    [
        thousandths(tally.containers * 1000 / tally.messages),
        minutes(tally.container_seconds, tally.messages),
        wait(50).to_string(),
        wait(95).to_string(),
        wait(100).to_string(),
        tally.later_than_plain.to_string(),
        tally.out_of_memory.to_string(),
        tally.dead_lettered.to_string(),
    ]
    .join(" | ")
}

fn thousandths(number: usize) -> String {
    format!("{}.{:03}", number / 1000, number % 1000)
}

fn minutes(seconds: Seconds, messages: usize) -> String {
    let hundredths = usize::try_from(seconds).expect("time does not go back") * 100 / 60 / messages;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
