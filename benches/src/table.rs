//! Reads tables from CSV files, plain or gzipped, and says for every wrong line which one it is.
//!
//! The files that we read never quote, so a line is a row and a comma ends a value. A reader that
//! also knows quotes counts records, not lines, and skips empty ones.

use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Why a table could not be read. Lines count from 1; the header is line 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file could not be opened.
    #[error("cannot open {}", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file ends too early, is not gzip, is not UTF-8, or reading it failed.
    #[error("cannot read {} after line {line}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The last line that could be read; 0 if none.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// The header does not name the expected columns.
    #[error("{}:1: expected the columns {expected:?}, found {found:?}", file.display())]
    Header {
        /// The file.
        file: PathBuf,
        /// The names expected, with commas.
        expected: String,
        /// The names found, with commas.
        found: String,
    },
    /// A line has too few or too many columns.
    #[error("{}:{line}: expected {expected} columns, found {found}", file.display())]
    Columns {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// How many columns the header has.
        expected: usize,
        /// How many the line has.
        found: usize,
    },
    /// A value is not of its column's kind.
    #[error("{}:{line}: {column} is {value:?}, expected {expected}", file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// The column's name.
        column: &'static str,
        /// The value found; at most 80 characters of it.
        value: String,
        /// What was expected there.
        expected: String,
    },
}

/// The longest line, in bytes: a file without line ends must not be held in memory.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// The most characters of a wrong value that an error repeats.
const VALUE_CHARS_MAX: usize = 80;

/// A table, read line by line.
pub struct Table {
    file: PathBuf,
    columns: &'static [&'static str],
    reader: BufReader<Box<dyn Read>>,
    text: String,
    /// The line that `text` holds; 0 before the first.
    line: u64,
}

/// One line of a table.
pub struct Row<'a> {
    file: &'a Path,
    columns: &'static [&'static str],
    values: Vec<&'a str>,
    /// The line's number in its file.
    pub line: u64,
}

impl Table {
    /// Opens a table that must have exactly these columns. A name that ends in `.gz` is unpacked.
    ///
    /// # Errors
    /// [`TableError`] if there is no such file or its first line is another header.
    pub fn open(file: &Path, columns: &'static [&'static str]) -> Result<Self, TableError> {
        let open = |source| TableError::Open { file: file.into(), source };
        let bytes = File::open(file).map_err(open)?;
        let is_packed = file.extension().is_some_and(|extension| extension == "gz");
        let bytes: Box<dyn Read> =
            if is_packed { Box::new(MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
        let reader = BufReader::new(bytes);
        let mut table = Self { file: file.into(), columns, reader, text: String::new(), line: 0 };
        table.next_line()?;
        let expected = columns.join(",");
        if table.text == expected {
            return Ok(table);
        }
        let found = shortened(&table.text);
        Err(TableError::Header { file: table.file, expected, found })
    }

    /// The next line, or `None` after the last.
    ///
    /// # Errors
    /// [`TableError::Read`] and [`TableError::Columns`].
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, TableError> {
        if !self.next_line()? {
            return Ok(None);
        }
        let values: Vec<&str> = self.text.split(',').collect();
        let (line, expected, found) = (self.line, self.columns.len(), values.len());
        if expected != found {
            return Err(TableError::Columns { file: self.file.clone(), line, expected, found });
        }
        Ok(Some(Row { file: &self.file, columns: self.columns, values, line }))
    }

    /// Reads a line into `text`, without its end. False after the last line.
    fn next_line(&mut self) -> Result<bool, TableError> {
        self.text.clear();
        let read = match (&mut self.reader).take(LINE_BYTES_MAX).read_line(&mut self.text) {
            Ok(size) if size as u64 == LINE_BYTES_MAX => {
                Err(io::Error::other(format!("next line is longer than {LINE_BYTES_MAX} bytes")))
            }
            read => read,
        };
        let (file, line) = (&self.file, self.line);
        let size = read.map_err(|source| TableError::Read { file: file.clone(), line, source })?;
        self.line += 1;
        self.text.truncate(self.text.trim_end_matches(['\r', '\n']).len());
        Ok(size > 0)
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(VALUE_CHARS_MAX).collect()
}

impl<'a> Row<'a> {
    /// The text in the column of this name.
    ///
    /// # Panics
    /// If the table was opened without such a column.
    pub fn text(&self, column: &'static str) -> &'a str {
        let index = self.columns.iter().position(|name| *name == column);
        self.values[index.expect("the column is one that the table was opened with")]
    }

    /// The decimal number in the column of this name.
    ///
    /// # Errors
    /// [`TableError::Value`] if it is none, or is too large for its type.
    pub fn number<T: FromStr>(&self, column: &'static str) -> Result<T, TableError> {
        let text = self.text(column);
        // `FromStr` of integers also takes a leading plus sign.
        let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = if is_decimal { text.parse().ok() } else { None };
        let kind = std::any::type_name::<T>();
        parsed.ok_or_else(|| self.wrong(column, format!("a decimal number that fits {kind}")))
    }

    /// The decimal number in the column of this name, or `None` where it is empty.
    ///
    /// # Errors
    /// As [`Self::number`].
    pub fn optional<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, TableError> {
        if self.text(column).is_empty() { Ok(None) } else { self.number(column).map(Some) }
    }

    /// The error that the column holds something else than `expected`.
    pub fn wrong(&self, column: &'static str, expected: impl Into<String>) -> TableError {
        TableError::Value {
            file: self.file.into(),
            line: self.line,
            column,
            value: shortened(self.text(column)),
            expected: expected.into(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A directory that is removed with its files when dropped.
    pub(crate) struct Scratch(pub(crate) PathBuf);

    impl Scratch {
        pub(crate) fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("tollway-benches-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        /// Writes a file, packed if its name ends in `.gz`.
        pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.join(name);
            let mut file = File::create(&path).unwrap();
            if name.ends_with(".gz") {
                let mut encoder = GzEncoder::new(file, Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap();
            } else {
                file.write_all(bytes).unwrap();
            }
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn read_all(path: &Path) -> Result<Vec<(u64, u32)>, TableError> {
        let mut table = Table::open(path, &["a", "b"])?;
        let mut rows = Vec::new();
        while let Some(row) = table.next_row()? {
            rows.push((row.number("a")?, row.optional("b")?.unwrap_or(0)));
        }
        Ok(rows)
    }

    /// What the error of reading a file with these bytes says, without its directory.
    fn check(bytes: &[u8], expected: &str) {
        let scratch = Scratch::new();
        let error = read_all(&scratch.write("t.csv", bytes)).unwrap_err();
        let directory = format!("{}/", scratch.0.display());
        assert_eq!(error.to_string().replace(&directory, ""), expected);
    }

    #[test]
    fn plain_and_packed_tables_are_read() {
        let scratch = Scratch::new();
        for name in ["t.csv", "t.csv.gz"] {
            let path = scratch.write(name, b"a,b\n1,2\n3,\n");
            assert_eq!(read_all(&path).unwrap(), [(1, 2), (3, 0)]);
        }
    }

    #[test]
    fn wrong_lines_are_named() {
        check(b"", "t.csv:1: expected the columns \"a,b\", found \"\"");
        check(b"a,c\n1,2\n", "t.csv:1: expected the columns \"a,b\", found \"a,c\"");
        check(b"a,b\n1,2\n1\n", "t.csv:3: expected 2 columns, found 1");
        check(b"a,b\n1,2\n1,2,3\n", "t.csv:3: expected 2 columns, found 3");
        check(b"a,b\nx,2\n", "t.csv:2: a is \"x\", expected a decimal number that fits u64");
        check(b"a,b\n+1,2\n", "t.csv:2: a is \"+1\", expected a decimal number that fits u64");
        check(
            b"a,b\n1,4294967296\n",
            "t.csv:2: b is \"4294967296\", expected a decimal number that fits u32",
        );
        check(
            b"a,b\r\n1,2\r\n1,-2",
            "t.csv:3: b is \"-2\", expected a decimal number that fits u32",
        );
        check(b"a,b\n1,2\n\n1,2\n", "t.csv:3: expected 2 columns, found 1");
        check(&[&b"a,b\n1,2\n"[..], &[b'1'; 70_000]].concat(), "cannot read t.csv after line 2");
        check(b"a,b\n1,2\n\xff,2\n", "cannot read t.csv after line 2");
    }

    #[test]
    fn cut_archives_are_refused() {
        let scratch = Scratch::new();
        let text: String = (0..5_000).map(|n| format!("{n},{}\n", n * 7919 % 1_000)).collect();
        let path = scratch.write("t.csv.gz", format!("a,b\n{text}").as_bytes());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(matches!(read_all(&path), Err(TableError::Read { line: 2.., .. })));
        std::fs::write(&path, b"a,b\n1,2\n").unwrap();
        assert!(matches!(read_all(&path), Err(TableError::Read { line: 0, .. })));
        assert!(matches!(read_all(&scratch.0.join("absent.csv")), Err(TableError::Open { .. })));
    }
}
