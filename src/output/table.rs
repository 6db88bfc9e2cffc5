//! Columns aligned with spaces, which scripts can cut as well as people can read.

/// Rows under a header, columns two spaces apart.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(header: [&str; N]) -> Self {
        Self { rows: vec![header.map(str::to_owned).to_vec()] }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    pub(crate) fn print(&self) {
        print!("{}", self.text());
    }

    fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| visible(cell)).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(width + 2 - visible(cell)));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// `Key = value` lines with the equal signs in one column.
#[derive(Debug, Default)]
pub(crate) struct Pairs(Vec<(&'static str, String)>);

impl Pairs {
    pub(crate) fn add(&mut self, key: &'static str, value: impl ToString) -> &mut Self {
        self.0.push((key, value.to_string()));
        self
    }

    pub(crate) fn print(&self) {
        let width = self.0.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
        for (key, value) in &self.0 {
            println!("{key:width$} = {value}");
        }
    }
}

/// How many columns a cell takes: colour codes take none.
fn visible(cell: &str) -> usize {
    let (mut count, mut inside) = (0, false);
    for c in cell.chars() {
        match (inside, c) {
            (false, '\x1b') => inside = true,
            (false, _) => count += 1,
            (true, 'm') => inside = false,
            (true, _) => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_their_colours() {
        let mut table = Table::new(["ID", "Status", "Name"]);
        table.row(["1".to_owned(), "\x1b[32mok\x1b[0m".to_owned(), "a".to_owned()]);
        table.row(["22222".to_owned(), "failed".to_owned(), "b".to_owned()]);
        assert_eq!(table.text(), "ID     Status  Name\n1      \x1b[32mok\x1b[0m      a\n22222  failed  b\n");
    }
}
