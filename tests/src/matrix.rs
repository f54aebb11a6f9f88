//! A matrix of what holds at which broker: judging each cell against the known faults, printing.
//!
//! A known fault is an expectation like any other. Where a broker that is known to be wrong
//! behaves, the cell fails, so that the list of faults cannot outlive them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// What a row found out at one broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Holds,
    /// The broker does not offer this, and says so or need not; why.
    NotOffered(String),
    /// It does not hold; what was seen instead.
    Fails(String),
}

/// What a broker is known to do wrong.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Its number in the printed list.
    pub number: u32,
    /// The broker's name.
    pub broker: &'static str,
    /// The versions of MQTT in which it shows.
    pub versions: &'static [&'static str],
    /// The rows in which it shows each time.
    pub rows: &'static [&'static str],
    /// The rows in which it may show, by chance.
    pub sometimes: &'static [&'static str],
    /// What the row then says holds one of these; a failure without is another one.
    pub shows: &'static [&'static str],
    /// What the broker does, and should do.
    pub wrong: &'static str,
    /// What the library does about it, or a program can.
    pub answer: &'static str,
}

impl Fault {
    fn is_always(&self, broker: &str, version: &str, row: &str) -> bool {
        self.broker == broker && self.versions.contains(&version) && self.rows.contains(&row)
    }

    fn is_possible(&self, broker: &str, version: &str, row: &str) -> bool {
        let fault = Fault { rows: self.sometimes, ..*self };
        self.is_always(broker, version, row) || fault.is_always(broker, version, row)
    }
}

/// What is written in a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Holds,
    /// Not offered, and why.
    NotOffered(String),
    /// The known fault with this number.
    Fault(u32),
    /// Neither; what was seen.
    Fails(String),
}

impl Verdict {
    fn cell(&self) -> String {
        match self {
            Self::Holds => "ok".to_owned(),
            Self::NotOffered(_) => "n/a".to_owned(),
            Self::Fault(number) => format!("fault({number})"),
            Self::Fails(_) => "FAIL".to_owned(),
        }
    }
}

/// Whether a broker is known to be wrong in this, always or by chance.
pub fn is_known(faults: &[Fault], broker: &str, version: &str, row: &str) -> bool {
    faults.iter().any(|fault| fault.is_possible(broker, version, row))
}

/// Compares what was found out with what is known.
pub fn judge(faults: &[Fault], broker: &str, version: &str, row: &str, found: Outcome) -> Verdict {
    let expected = faults.iter().find(|fault| fault.is_always(broker, version, row));
    match (found, expected) {
        (Outcome::Fails(seen), _) => {
            let is_it = |fault: &&Fault| {
                fault.is_possible(broker, version, row)
                    && fault.shows.iter().any(|part| seen.contains(part))
            };
            match faults.iter().find(is_it) {
                Some(fault) => Verdict::Fault(fault.number),
                None => Verdict::Fails(seen),
            }
        }
        (_, Some(fault)) => Verdict::Fails(format!("fault({}) is no longer there", fault.number)),
        (Outcome::NotOffered(why), None) => Verdict::NotOffered(why),
        (Outcome::Holds, None) => Verdict::Holds,
    }
}

/// What is wrong with a list of faults: numbers used twice, names that do not exist, missing words.
pub fn check(faults: &[Fault], columns: &[(&str, Vec<&str>)], rows: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut numbers = BTreeSet::new();
    for fault in faults {
        let mut complain = |what: String| wrong.push(format!("fault({}): {what}", fault.number));
        if !numbers.insert(fault.number) {
            complain("the number is used twice".to_owned());
        }
        match columns.iter().find(|(broker, _)| *broker == fault.broker) {
            None => complain(format!("there is no broker {}", fault.broker)),
            Some((_, versions)) => {
                for version in fault.versions.iter().filter(|version| !versions.contains(version)) {
                    complain(format!("{} does not speak {version}", fault.broker));
                }
            }
        }
        let mut shows = fault.rows.iter().chain(fault.sometimes);
        for row in shows.clone().filter(|row| !rows.contains(row)) {
            complain(format!("there is no row {row:?}"));
        }
        if fault.versions.is_empty() || shows.next().is_none() {
            complain("it shows nowhere".to_owned());
        }
        let described = !fault.shows.is_empty()
            && fault.shows.iter().chain([&fault.wrong, &fault.answer]).all(|text| !text.is_empty());
        if !described {
            complain("it is not described".to_owned());
        }
    }
    wrong
}

/// A broker in one version of MQTT.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    /// The broker's name.
    pub broker: String,
    /// The version of MQTT.
    pub version: String,
}

/// The verdicts, row by row.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    columns: Vec<Column>,
    rows: Vec<(String, Vec<Option<Verdict>>)>,
    releases: Vec<(String, String)>,
}

/// How many cells say what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cells that hold.
    pub holds: usize,
    /// Cells with a known fault.
    pub faults: usize,
    /// Cells that do not apply.
    pub not_offered: usize,
    /// Cells that fail.
    pub fails: usize,
}

impl Matrix {
    /// A matrix with these rows and no column.
    pub fn new(rows: &[&str]) -> Self {
        let rows = rows.iter().map(|row| ((*row).to_owned(), Vec::new())).collect();
        Self { rows, ..Self::default() }
    }

    /// Adds a broker and its release, for the list below the table.
    pub fn add_release(&mut self, broker: &str, release: &str) {
        self.releases.push((broker.to_owned(), release.to_owned()));
    }

    /// Adds a column: one verdict for each row, or none where the row does not exist in that
    /// version of MQTT.
    ///
    /// # Panics
    /// There is not one for each row.
    pub fn add_column(&mut self, column: Column, verdicts: Vec<Option<Verdict>>) {
        assert_eq!(verdicts.len(), self.rows.len(), "one verdict for each row");
        self.columns.push(column);
        for ((_, cells), verdict) in self.rows.iter_mut().zip(verdicts) {
            cells.push(verdict);
        }
    }

    /// How many cells say what.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for verdict in self.rows.iter().flat_map(|(_, cells)| cells).flatten() {
            match verdict {
                Verdict::Holds => counts.holds += 1,
                Verdict::Fault(_) => counts.faults += 1,
                Verdict::NotOffered(_) => counts.not_offered += 1,
                Verdict::Fails(_) => counts.fails += 1,
            }
        }
        counts
    }

    /// What failed: one line for each.
    pub fn failures(&self) -> Vec<String> {
        self.cells()
            .filter_map(|(row, column, verdict)| match verdict {
                Verdict::Fails(seen) => {
                    Some(format!("{} {}, {row}: {seen}", column.broker, column.version))
                }
                _ => None,
            })
            .collect()
    }

    /// Why cells do not apply, each reason once, with the columns and rows that it concerns.
    fn not_offered(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let mut reasons: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (row, column, verdict) in self.cells() {
            if let Verdict::NotOffered(why) = verdict {
                let place = format!("{} {} ({row})", column.broker, column.version);
                reasons.entry(why).or_default().insert(place);
            }
        }
        reasons
    }

    fn cells(&self) -> impl Iterator<Item = (&str, &Column, &Verdict)> {
        self.rows.iter().flat_map(|(row, cells)| {
            let cells = self.columns.iter().zip(cells);
            cells.filter_map(move |(column, cell)| Some((&row[..], column, cell.as_ref()?)))
        })
    }

    /// The rows in which anything stands.
    fn shown_rows(&self) -> impl Iterator<Item = &(String, Vec<Option<Verdict>>)> {
        self.rows.iter().filter(|(_, cells)| cells.iter().any(Option::is_some))
    }

    /// The known faults that these cells may show, and whether each was met.
    fn known<'a>(&self, faults: &'a [Fault]) -> Vec<(&'a Fault, bool)> {
        let may_show = |fault: &&Fault| {
            self.cells()
                .any(|(row, column, _)| fault.is_possible(&column.broker, &column.version, row))
        };
        let is_met =
            |number: u32| self.cells().any(|(_, _, verdict)| *verdict == Verdict::Fault(number));
        faults.iter().filter(may_show).map(|fault| (fault, is_met(fault.number))).collect()
    }

    /// As text for a terminal, with two lines of headings: the broker, the version.
    pub fn to_text(&self, faults: &[Fault]) -> String {
        let first = self.shown_rows().map(|(row, _)| row.len()).max().unwrap_or(0);
        let widths: Vec<usize> = self
            .columns
            .iter()
            .map(|column| column.broker.len().max("fault(00)".len()).max(column.version.len()))
            .collect();
        let mut text = String::new();
        let mut line = |head: &str, cells: Vec<String>| {
            let mut line = format!("{head:first$}");
            for (cell, width) in cells.iter().zip(&widths) {
                let _ = write!(line, "  {cell:width$}");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        };
        line("", self.columns.iter().map(|column| column.broker.clone()).collect());
        line("", self.columns.iter().map(|column| column.version.clone()).collect());
        for (row, cells) in self.shown_rows() {
            line(row, cells.iter().map(|cell| shown(cell.as_ref())).collect());
        }
        text.push('\n');
        for (broker, release) in &self.releases {
            let _ = writeln!(text, "{broker}: {release}");
        }
        for (fault, met) in self.known(faults) {
            let Fault { number, broker, wrong, answer, .. } = fault;
            let met = if met { "" } else { NOT_MET };
            let _ =
                writeln!(text, "\nfault({number}) {broker}{met}: {wrong}\n  what we do: {answer}");
        }
        for (why, places) in self.not_offered() {
            let places: Vec<&str> = places.iter().map(String::as_str).collect();
            let _ = writeln!(text, "\nn/a, {why}: {}", places.join(", "));
        }
        text
    }

    /// As a page of Markdown, below a heading of its own.
    pub fn to_markdown(&self, faults: &[Fault]) -> String {
        let mut text = String::from("| |");
        for column in &self.columns {
            let _ = write!(text, " {} {} |", column.broker, column.version);
        }
        text.push_str("\n|---|");
        text.push_str(&"---|".repeat(self.columns.len()));
        text.push('\n');
        for (row, cells) in self.shown_rows() {
            let _ = write!(text, "| {row} |");
            for cell in cells {
                let _ = write!(text, " {} |", shown(cell.as_ref()));
            }
            text.push('\n');
        }
        text.push_str("\n## The brokers\n\n");
        for (broker, release) in &self.releases {
            let _ = writeln!(text, "- {broker}: {release}");
        }
        text.push_str("\n## The brokers' own faults\n\n");
        for (fault, met) in self.known(faults) {
            let Fault { number, broker, wrong, answer, .. } = fault;
            let met = if met { "" } else { NOT_MET };
            let _ = writeln!(
                text,
                "- **fault({number})**, {broker}{met}: {wrong} *What we do:* {answer}"
            );
        }
        text.push_str("\n## Not applicable\n\n");
        for (why, places) in self.not_offered() {
            let places: Vec<&str> = places.iter().map(String::as_str).collect();
            let _ = writeln!(text, "- {why}: {}", places.join(", "));
        }
        text
    }
}

/// What stands behind a fault that comes and goes and did not come.
const NOT_MET: &str = " (not met this time)";

/// A row that does not exist in a version of MQTT has an empty cell there.
fn shown(cell: Option<&Verdict>) -> String {
    cell.map(Verdict::cell).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULT: Fault = Fault {
        number: 7,
        broker: "lame",
        versions: &["5.0"],
        rows: &["jump"],
        sometimes: &["climb"],
        shows: &["fell", "slipped"],
        wrong: "It falls.",
        answer: "We help it up.",
    };

    fn judged(fault: Fault, version: &str, found: Outcome) -> Verdict {
        judge(&[fault], "lame", version, "jump", found)
    }

    #[test]
    fn a_known_fault_is_one_only_where_it_is_known_and_as_it_is_known() {
        let fell = || Outcome::Fails("it fell down".to_owned());
        assert_eq!(judged(FAULT, "5.0", fell()), Verdict::Fault(7));
        assert!(matches!(judged(FAULT, "3.1.1", fell()), Verdict::Fails(_)));
        assert!(matches!(judge(&[FAULT], "other", "5.0", "jump", fell()), Verdict::Fails(_)));
        assert!(matches!(judge(&[FAULT], "lame", "5.0", "run", fell()), Verdict::Fails(_)));
        let flew = Outcome::Fails("it flew".to_owned());
        assert_eq!(judged(FAULT, "5.0", flew), Verdict::Fails("it flew".to_owned()));
    }

    #[test]
    fn a_fault_that_is_gone_fails_unless_it_comes_and_goes() {
        let gone = Verdict::Fails("fault(7) is no longer there".to_owned());
        assert_eq!(judged(FAULT, "5.0", Outcome::Holds), gone);
        let why = || "no legs".to_owned();
        assert_eq!(judged(FAULT, "5.0", Outcome::NotOffered(why())), gone);
        assert_eq!(judged(FAULT, "3.1.1", Outcome::Holds), Verdict::Holds);
        let climbing = |found| judge(&[FAULT], "lame", "5.0", "climb", found);
        assert_eq!(climbing(Outcome::Holds), Verdict::Holds);
        assert_eq!(climbing(Outcome::NotOffered(why())), Verdict::NotOffered(why()));
        assert_eq!(climbing(Outcome::Fails("it fell down".to_owned())), Verdict::Fault(7));
        for (row, expected) in [("jump", true), ("climb", true), ("run", false)] {
            assert_eq!(is_known(&[FAULT], "lame", "5.0", row), expected);
            assert!(!is_known(&[FAULT], "lame", "3.1.1", row));
        }
    }

    #[test]
    fn a_list_of_faults_that_names_what_does_not_exist_is_refused() {
        let columns = [("lame", vec!["5.0"])];
        let rows = ["jump", "climb"];
        assert_eq!(check(&[FAULT], &columns, &rows), Vec::<String>::new());
        let complaints = |fault: Fault| check(&[fault], &columns, &rows).join("\n");
        assert!(complaints(Fault { broker: "blind", ..FAULT }).contains("no broker blind"));
        assert!(complaints(Fault { versions: &["3.1"], ..FAULT }).contains("not speak 3.1"));
        assert!(complaints(Fault { rows: &["run"], ..FAULT }).contains("no row \"run\""));
        assert!(complaints(Fault { sometimes: &["fly"], ..FAULT }).contains("no row \"fly\""));
        assert!(complaints(Fault { rows: &[], sometimes: &[], ..FAULT }).contains("nowhere"));
        assert!(complaints(Fault { answer: "", ..FAULT }).contains("not described"));
        assert!(complaints(Fault { shows: &[], ..FAULT }).contains("not described"));
        assert!(check(&[FAULT, FAULT], &columns, &rows).concat().contains("twice"));
    }

    fn matrix() -> Matrix {
        let mut matrix = Matrix::new(&["jump", "run", "left out"]);
        matrix.add_release("lame", "1.0");
        let column =
            |version: &str| Column { broker: "lame".to_owned(), version: version.to_owned() };
        let not_offered = Some(Verdict::NotOffered("no legs".to_owned()));
        matrix.add_column(column("3.1.1"), vec![None, Some(Verdict::Holds), None]);
        matrix.add_column(column("5.0"), vec![Some(Verdict::Fault(7)), not_offered, None]);
        matrix
    }

    #[test]
    fn text_and_markdown_show_every_cell_the_faults_and_the_reasons() {
        let text = matrix().to_text(&[FAULT]);
        assert_eq!(
            text,
            "      lame       lame\n      3.1.1      5.0\njump             fault(7)\n\
             run   ok         n/a\n\nlame: 1.0\n\nfault(7) lame: It falls.\n  what we do: \
             We help it up.\n\nn/a, no legs: lame 5.0 (run)\n",
        );
        let not_met = matrix().to_text(&[FAULT, Fault { number: 8, ..FAULT }]);
        assert!(not_met.contains("fault(8) lame (not met this time): It falls."), "{not_met}");
        let elsewhere =
            matrix().to_text(&[FAULT, Fault { number: 8, versions: &["3.1"], ..FAULT }]);
        assert_eq!(elsewhere, text);
        let markdown = matrix().to_markdown(&[FAULT]);
        for line in [
            "| | lame 3.1.1 | lame 5.0 |",
            "| jump |  | fault(7) |",
            "| run | ok | n/a |",
            "- **fault(7)**, lame: It falls. *What we do:* We help it up.",
            "- no legs: lame 5.0 (run)",
        ] {
            assert!(markdown.lines().any(|found| found == line), "{line:?} in\n{markdown}");
        }
    }

    #[test]
    fn counts_and_failures_name_what_failed() {
        let mut matrix = matrix();
        let counts = Counts { holds: 1, faults: 1, not_offered: 1, fails: 0 };
        assert_eq!((matrix.counts(), matrix.failures()), (counts, Vec::new()));
        let column = Column { broker: "dead".to_owned(), version: "5.0".to_owned() };
        matrix.add_column(column, vec![Some(Verdict::Fails("it lies".to_owned())), None, None]);
        assert_eq!(matrix.counts(), Counts { fails: 1, ..counts });
        assert_eq!(matrix.failures(), ["dead 5.0, jump: it lies"]);
    }
}
