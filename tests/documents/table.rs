//! Tables of Markdown.

/// A table: what each row has in its cells.
pub struct Table {
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// The table whose first column is headed like this.
    pub fn headed(document: &str, first_column: &str) -> Self {
        let mut lines = document.lines().skip_while(|line| !is_row(line) || cells(line)[0] != first_column);
        assert!(lines.next().is_some(), "there is a table of `{first_column}`");
        let rows = lines.skip(1).take_while(|line| is_row(line)).map(cells).collect();
        Self { rows }
    }
}

/// What stands between backticks in a text.
pub fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn is_row(line: &str) -> bool {
    line.starts_with('|')
}

fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split(" | ").map(|cell| cell.trim().to_owned()).collect()
}

#[test]
fn a_table_is_found_by_the_head_of_its_first_column_and_ends_with_its_last_row() {
    let document = "\
| fruit | colour |
|---|---|
| plum | blue |

| outcome | what it means |
|---|---|
| `a`, `b` | One `c`. |
| `d` | |
and no more
| `e` | |
";
    let table = Table::headed(document, "outcome");
    assert_eq!(table.rows.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["`a`, `b`", "`d`"]);
    assert_eq!(table.rows[0][1], "One `c`.");
    assert_eq!(code(&table.rows[0][0]).collect::<Vec<_>>(), ["a", "b"]);
}
