//! Files of API keys: CSV as API Gateway imports it (`api-gateway.md` 4).
//!
//! A header row names the columns, in any order and any case. A value never leaves this file but as
//! its digest, and no message quotes one.

use std::{path::PathBuf, sync::Arc};

use super::{
    Problems,
    gateway_file::is_name,
    keys::{check_value, digest_of},
    shorten,
};
use crate::{
    base::{Place, limits::API_KEYS_MAX},
    steps::api_key::Digest,
};

/// A key as a row has it.
pub(super) struct Row {
    /// Its line, counted from 1.
    pub(super) line: u32,
    pub(super) name: String,
    pub(super) digest: Digest,
    pub(super) enabled: bool,
    /// Ids or names of its usage plans.
    pub(super) plans: Vec<String>,
}

/// The columns, by AWS's names.
const COLUMNS: [&str; 5] = ["Name", "Key", "Description", "Enabled", "UsagePlanIds"];

/// Where the columns stand in a row.
#[derive(Clone, Copy)]
struct Columns {
    name: usize,
    key: usize,
    enabled: Option<usize>,
    plans: Option<usize>,
}

/// The keys of a file; those of rows with errors are left out, and told.
pub(super) fn parse(file: &Arc<PathBuf>, bytes: &[u8], problems: &mut Problems) -> Vec<Row> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let mut lines = Lines { bytes, at: 0, line: 1 };
    let mut telling = Telling { file, problems, line: 1 };
    let mut record = csv::StringRecord::new();
    let mut read = |telling: &mut Telling<'_>, record: &mut csv::StringRecord| {
        telling.line = lines.of_row(reader.position().byte());
        telling.read(reader.read_record(record))
    };
    match read(&mut telling, &mut record) {
        Read::Row => {}
        Read::Broken => return Vec::new(),
        Read::End => {
            telling.error("the file is empty", HEADER_FIX);
            return Vec::new();
        }
    }
    let width = record.len();
    let Some(columns) = telling.columns(&record) else { return Vec::new() };
    let mut rows = Vec::new();
    loop {
        match read(&mut telling, &mut record) {
            Read::Row => rows.extend(telling.row(&record, columns, width)),
            Read::Broken => {}
            Read::End => return rows,
        }
        // One more than there may be is enough to tell.
        if rows.len() > API_KEYS_MAX {
            return rows;
        }
    }
}

/// Counts lines on the way through a file. The reader's own count is that of the line end before a
/// row, not of the row.
struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u32,
}

impl Lines<'_> {
    /// The line of the row that begins after the line ends at this place, which is not before the
    /// last one asked for.
    fn of_row(&mut self, from: u64) -> u32 {
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(self.bytes.len());
        let is_end = |byte: Option<&u8>| matches!(byte, Some(b'\r' | b'\n'));
        while self.at < from || is_end(self.bytes.get(self.at)) {
            let (byte, next) = (self.bytes[self.at], self.bytes.get(self.at + 1));
            let ends = byte == b'\n' || byte == b'\r' && next != Some(&b'\n');
            self.line = self.line.saturating_add(u32::from(ends));
            self.at += 1;
        }
        self.line
    }
}

/// What came of reading a row.
enum Read {
    Row,
    /// It was told.
    Broken,
    End,
}

const HEADER_FIX: &str = "begin it with the row Name,Key,Description,Enabled,UsagePlanIds";

/// Tells what is wrong in a file.
struct Telling<'t> {
    file: &'t Arc<PathBuf>,
    problems: &'t mut Problems,
    /// The line of the row that is looked at.
    line: u32,
}

impl Telling<'_> {
    /// The columns that the header row names. Names are quoted only when it is one: without it, the
    /// first row has somebody's key.
    fn columns(&mut self, header: &csv::StringRecord) -> Option<Columns> {
        let mut found = [None; COLUMNS.len()];
        let mut unknown = Vec::new();
        let mut is_sound = true;
        for (place, name) in header.iter().enumerate() {
            let known = COLUMNS.iter().position(|column| column.eq_ignore_ascii_case(name));
            match known {
                Some(column) if found[column].is_some() => {
                    let message = format!("the column {} is there twice", COLUMNS[column]);
                    self.error(&message, "remove one of them");
                    is_sound = false;
                }
                Some(column) => found[column] = Some(place),
                None => unknown.push(name),
            }
        }
        for column in [0, 1] {
            if found[column].is_none() {
                let message = format!("the first row has no column {}", COLUMNS[column]);
                self.error(&message, HEADER_FIX);
                is_sound = false;
            }
        }
        for name in unknown.into_iter().filter(|_| is_sound) {
            let message = format!("the column {:?} is not known; it is left out", shorten(name));
            self.problems.info(self.place(), message, "");
        }
        let [name, key, _, enabled, plans] = found;
        is_sound.then_some(Columns { name: name?, key: key?, enabled, plans })
    }

    fn row(&mut self, record: &csv::StringRecord, columns: Columns, width: usize) -> Option<Row> {
        if record.len() != width {
            let message = format!("the row has {} fields; the first has {width}", record.len());
            self.error(&message, "put a text with a comma in quotes");
            return None;
        }
        if record.iter().any(|field| field.contains(['\n', '\r'])) {
            // A quotation mark that is never closed makes one text of all rows up to the next.
            let fix = "close the quotation mark; a text within one has no line ends";
            self.error("the row does not end with its line", fix);
            return None;
        }
        let name = &record[columns.name];
        if !is_name(name) {
            let message = format!("the name {:?} does not fit", shorten(name));
            self.error(&message, "write 1 to 1024 characters, none a control character");
            return None;
        }
        let value = &record[columns.key];
        if let Err((sentence, fix)) = check_value(value) {
            // Whoever mixed two columns up has a value for a name.
            let is_name = check_value(name).is_err();
            let label = if is_name { &format!("key {}", shorten(name)) } else { "the key" };
            self.error(&format!("{label}: {sentence}"), fix);
            return None;
        }
        let enabled = columns.enabled.map_or("", |column| &record[column]);
        let enabled = match enabled.to_ascii_lowercase().as_str() {
            "" | "true" => true,
            "false" => false,
            _ => {
                let message = format!("key {}: Enabled is {:?}", shorten(name), shorten(enabled));
                self.error(&message, "write true or false");
                return None;
            }
        };
        let plans = columns.plans.map_or("", |column| &record[column]).split(',');
        let plans = plans.map(str::trim).filter(|plan| !plan.is_empty());
        let plans = plans.map(str::to_owned).collect();
        let line = self.line;
        Some(Row { line, name: name.to_owned(), digest: digest_of(value), enabled, plans })
    }

    /// All that can be wrong with a row in memory is its encoding.
    fn read(&mut self, read: csv::Result<bool>) -> Read {
        match read {
            Ok(true) => Read::Row,
            Ok(false) => Read::End,
            Err(_) => {
                self.error("the row is not UTF-8", "save the file as UTF-8");
                Read::Broken
            }
        }
    }

    fn error(&mut self, message: &str, fix: &str) {
        self.problems.error(self.place(), message, fix);
    }

    fn place(&self) -> Place {
        let (file, line) = (Arc::clone(self.file), self.line);
        Place { file, line, column: 1, bytes: (0, 0) }
    }
}

#[cfg(test)]
mod tests;
