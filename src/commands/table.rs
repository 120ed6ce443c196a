//! Tables that fit the terminal, or are as wide as necessary if there is none.

/// Between two columns.
const GAP: &str = "  ";

/// The least width of a column, so that its beginning stays readable.
const LEAST_WIDTH: usize = 8;

/// The table, one line for each row. With a width, the widest columns shrink until it fits.
pub(super) fn table(head: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
    let length = |text: &str| text.chars().count();
    let widest = |column: usize| rows.iter().map(|row| length(&row[column])).max().unwrap_or_default();
    let mut widths: Vec<_> = (0..head.len()).map(|column| widest(column).max(length(head[column]))).collect();
    let gaps = GAP.len() * head.len().saturating_sub(1);
    while let Some(width) = width
        && widths.iter().sum::<usize>() + gaps > width
    {
        let Some(widest) = widths.iter_mut().filter(|width| **width > LEAST_WIDTH).max() else { break };
        *widest -= 1;
    }
    let head: Vec<_> = head.iter().map(|name| (*name).to_owned()).collect();
    let lines = std::iter::once(&head).chain(rows).map(|row| {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{:<width$}", cut(text, *width)));
        cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A text of at most this many characters; a longer one is cut and ends in an ellipsis.
fn cut(text: &str, width: usize) -> String {
    let one_line = text.replace(char::is_control, " ");
    if one_line.chars().count() <= width {
        return one_line;
    }
    one_line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<String>> {
        [["a", "running", ""], ["b", "backing off", "the container was killed for want of memory"]]
            .map(|row| row.map(str::to_owned).to_vec())
            .to_vec()
    }

    #[test]
    fn a_table_is_as_wide_as_it_needs_to_be_or_as_it_may_be() {
        let head = ["name", "outcome", "reason"];
        insta::assert_snapshot!(table(&head, &rows(), None), @r"
        name  outcome      reason
        a     running
        b     backing off  the container was killed for want of memory
        ");
        insta::assert_snapshot!(table(&head, &rows(), Some(40)), @r"
        name  outcome      reason
        a     running
        b     backing off  the container was ki…
        ");
        assert!(table(&head, &rows(), Some(3)).lines().all(|line| line.chars().count() <= 4 + 8 + 8 + 4));
    }
}
