//! The file of the history: rows and incidents.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use redb::{
    Error, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table as FileTable,
    TableDefinition,
};

use super::counts::Counts;
use super::incidents::Incident;
use super::rows::{Key, Rows, Tier, first_kept};
use super::subject::Subject;
use crate::state::{FileKind, StateFile, Trouble};

/// Tier, number of the span, subject; the counts.
const ROWS: TableDefinition<'_, (u8, u64, u64), &[u8]> = TableDefinition::new("rows");
/// Its id; the incident as JSON.
const INCIDENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("incidents");
/// How many incidents are kept: the last ones.
pub(super) const MOST: usize = 1000;
const KIND: FileKind = FileKind {
    name: "history.redb",
    content: "what was counted of the past",
    // Old rows are read rarely, and the system keeps what is read often.
    cache: 1 << 20,
};

/// An open file.
#[derive(Debug)]
pub(super) struct HistoryFile(StateFile);

/// Its rows, while they are written.
struct Writing<'a>(FileTable<'a, (u8, u64, u64), &'static [u8]>);

impl HistoryFile {
    pub(super) fn open(folder: &Path) -> Result<Self, Trouble> {
        let (file, ()) = StateFile::open(folder, KIND, |database| {
            // A table that was never written does not exist.
            let transaction = database.begin_write()?;
            transaction.open_table(ROWS)?;
            transaction.open_table(INCIDENTS)?;
            transaction.commit()?;
            Ok(())
        })?;
        Ok(Self(file))
    }

    /// Writes rows and incidents in one transaction. An incident that is `None` is removed.
    pub(super) fn write(
        &self,
        incidents: &BTreeMap<u64, Option<Incident>>,
        write: impl FnOnce(&mut dyn Rows) -> Result<(), Error>,
    ) -> Result<(), Trouble> {
        self.0.written(|database| {
            let transaction = database.begin_write()?;
            write(&mut Writing(transaction.open_table(ROWS)?))?;
            let mut table = transaction.open_table(INCIDENTS)?;
            for (id, incident) in incidents {
                match incident {
                    Some(incident) => table.insert(id, incident.to_bytes().as_slice())?,
                    None => table.remove(id)?,
                };
            }
            while table.len()? > MOST as u64 {
                table.pop_first()?;
            }
            drop(table);
            transaction.commit()?;
            Ok(())
        })
    }

    /// All incidents, by their ids.
    pub(super) fn incidents(&self) -> Result<BTreeMap<u64, Incident>, Trouble> {
        self.0.guarded(|database| {
            let table = database.begin_read()?.open_table(INCIDENTS)?;
            let mut incidents = BTreeMap::new();
            for row in table.iter()? {
                let (id, incident) = row?;
                if let Some(incident) = Incident::from_bytes(incident.value()) {
                    incidents.insert(id.value(), incident);
                }
            }
            Ok(incidents)
        })
    }

    /// Keeps the rows of a tier in its last spans that have some, up to a span, and those after it.
    pub(super) fn prune(&self, tier: Tier, last: u64, kept: usize) -> Result<(), Trouble> {
        let first_of = |at| (number(tier), at, 0);
        self.0.written(|database| {
            let transaction = database.begin_write()?;
            let mut table = transaction.open_table(ROWS)?;
            let first = first_kept(last, kept, |at| {
                let before = table.range(first_of(0)..first_of(at))?.next_back();
                Ok(before.transpose()?.map(|(key, _)| key.value().1))
            })?;
            if let Some(first) = first {
                table.retain_in(first_of(0)..first_of(first), |_, _| false)?;
            }
            drop(table);
            transaction.commit()?;
            Ok(())
        })
    }

    pub(super) fn visit(
        &self,
        parts: &[(Tier, RangeInclusive<u64>)],
        visit: &mut dyn FnMut(Key, Counts),
    ) -> Result<(), Trouble> {
        self.0.guarded(|database| {
            let table = database.begin_read()?.open_table(ROWS)?;
            for (tier, spans) in parts {
                let range =
                    (number(*tier), *spans.start(), 0)..=(number(*tier), *spans.end(), u64::MAX);
                for row in table.range(range)? {
                    let (key, row) = row?;
                    let (_, at, subject) = key.value();
                    if let Some(counts) = Counts::from_bytes(row.value()) {
                        let subject = Subject(subject);
                        visit(
                            Key {
                                tier: *tier,
                                at,
                                subject,
                            },
                            counts,
                        );
                    }
                }
            }
            Ok(())
        })
    }

    /// The row at a place.
    pub(super) fn get(&self, key: Key) -> Result<Option<Counts>, Trouble> {
        self.0.guarded(|database| {
            let table = database.begin_read()?.open_table(ROWS)?;
            let row = table.get(place(key))?;
            Ok(row.and_then(|row| Counts::from_bytes(row.value())))
        })
    }

    /// The number of the first span of a tier that has a row, from a span on.
    pub(super) fn first(&self, tier: Tier, from: u64) -> Result<Option<u64>, Trouble> {
        self.0.guarded(|database| {
            let table = database.begin_read()?.open_table(ROWS)?;
            let mut rows =
                table.range((number(tier), from, 0)..=(number(tier), u64::MAX, u64::MAX))?;
            let first = rows.next().transpose()?;
            Ok(first.map(|(key, _)| key.value().1))
        })
    }
}

impl Rows for Writing<'_> {
    fn get(&self, key: Key) -> Result<Option<Counts>, Error> {
        let row = self.0.get(place(key))?;
        Ok(row.and_then(|row| Counts::from_bytes(row.value())))
    }

    fn put(&mut self, key: Key, counts: &Counts) -> Result<(), Error> {
        self.0.insert(place(key), counts.to_bytes().as_slice())?;
        Ok(())
    }
}

fn place(key: Key) -> (u8, u64, u64) {
    (number(key.tier), key.at, key.subject.0)
}

fn number(tier: Tier) -> u8 {
    match tier {
        Tier::Minute => 0,
        Tier::Hour => 1,
        Tier::Day => 2,
    }
}
