//! Everything that has been counted: in the file, and in memory what is not in it yet, or cannot be.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::clock::Millis;
use super::counts::Counts;
use super::file::{HistoryFile, MOST};
use super::incidents::Incident;
use super::recorder::Sealed;
use super::rows::{Key, MemoryRows, Rows, Tier, add, cover, joined};
use super::subject::Subject;
use crate::state::Trouble;

/// How many spans of each tier are kept in the file, of those that have rows: minutes of two days, hours and days of 91 days.
/// They are counted, as an age would be wrong whenever the time of day is, and what is forgotten is lost.
const IN_FILE: [usize; 3] = [2 * 1440, 91 * 24, 91];
/// The same where there is no file: minutes of an hour, hours of eight days, days of 91 days.
const IN_MEMORY: [usize; 3] = [66, 8 * 24, 91];
/// The pauses between two attempts to use the file: the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

#[derive(Debug)]
pub(super) struct Ledger {
    /// Where the file is; `None`: there is none.
    folder: Option<PathBuf>,
    /// It can be read.
    file: Option<HistoryFile>,
    /// Why the file cannot be written.
    trouble: Option<String>,
    /// When it is tried again, and the pause after that.
    retry: (Instant, Duration),
    /// Minutes that are not written yet.
    pending: BTreeMap<(u64, Subject), Counts>,
    /// What could not be written.
    memory: MemoryRows,
    /// Changes of incidents that are not written.
    incidents: BTreeMap<u64, Option<Incident>>,
    /// The hour in which old rows were last forgotten.
    pruned_in: u64,
}

impl Ledger {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self {
            trouble: folder.is_none().then(|| "there is no state_dir".to_owned()),
            folder,
            file: None,
            retry: (Instant::now(), PAUSES.0),
            pending: BTreeMap::new(),
            memory: MemoryRows::default(),
            incidents: BTreeMap::new(),
            pruned_in: 0,
        }
    }

    /// Why it is in memory only.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Whether what was kept before can be read, if there is any.
    pub(super) fn knows_the_past(&self) -> bool {
        self.file.is_some() || self.folder.is_none()
    }

    pub(super) fn take(&mut self, sealed: Vec<Sealed>, incidents: BTreeMap<u64, Option<Incident>>) {
        self.incidents.extend(incidents);
        for Sealed {
            minute,
            subject,
            counts,
        } in sealed
        {
            let pending = self.pending.entry((minute, subject)).or_default();
            pending.merge(&counts);
        }
    }

    /// Opens the file for the first time.
    pub(super) fn open(&mut self) {
        if let Err(trouble) = self.reopen() {
            self.give_up(&trouble);
        }
    }

    /// Writes what is pending.
    pub(super) fn keep(&mut self) {
        if self.folder.is_some() && self.trouble.is_some() && Instant::now() >= self.retry.0 {
            self.retry();
        }
        if self.pending.is_empty() && self.incidents.is_empty() {
            return;
        }
        if self.trouble.is_none()
            && let Some(file) = &self.file
        {
            let pending = &self.pending;
            match file.write(&self.incidents, |rows| add_all(rows, pending)) {
                Ok(()) => {
                    self.pending.clear();
                    self.incidents.clear();
                    return;
                }
                Err(trouble) => {
                    self.give_up(&trouble);
                    // What is in it can still be read, or it is damaged and begun anew.
                    self.file = None;
                    let _ = self.reopen_to_read();
                }
            }
        }
        // Rows in memory cannot fail.
        let _ = add_all(&mut self.memory, &self.pending);
        self.pending.clear();
        while self.incidents.len() > MOST {
            self.incidents.pop_first();
        }
    }

    fn retry(&mut self) {
        match self.reopen() {
            Ok(()) => {
                self.trouble = None;
                tracing::info!("the history is kept in state_dir again");
            }
            Err(trouble) => {
                tracing::debug!("the history still cannot be kept: {trouble}");
                if matches!(trouble, Trouble::Held) {
                    self.retry.1 = PAUSES.0;
                }
            }
        }
        let pause = self.retry.1;
        self.retry = (Instant::now() + pause, (pause * 2).min(PAUSES.1));
    }

    /// Opens the file, and writes to it what is in memory.
    fn reopen(&mut self) -> Result<(), Trouble> {
        self.reopen_to_read()?;
        let Some(file) = &self.file else {
            return Ok(());
        };
        let memory = &self.memory.0;
        if !memory.is_empty() {
            let written = file.write(&self.incidents, |rows| {
                for (key, row) in memory {
                    let mut sum = rows.get(*key)?.unwrap_or_default();
                    sum.merge(&Counts::from_bytes(row).unwrap_or_default());
                    rows.put(*key, &sum)?;
                }
                Ok(())
            });
            if let Err(trouble) = written {
                self.file = None;
                let _ = self.reopen_to_read();
                return Err(trouble);
            }
            self.memory.0.clear();
            self.incidents.clear();
        }
        Ok(())
    }

    fn reopen_to_read(&mut self) -> Result<(), Trouble> {
        if self.file.is_none()
            && let Some(folder) = &self.folder
        {
            self.file = Some(HistoryFile::open(folder)?);
        }
        Ok(())
    }

    fn give_up(&mut self, trouble: &Trouble) {
        let folder = self.folder.clone().unwrap_or_default();
        match trouble {
            Trouble::Held => tracing::info!(
                folder = %folder.display(),
                "another process keeps the history: what is counted from now on is added to it when that one has ended"
            ),
            Trouble::Damage(_) | Trouble::Obstacle(_) => tracing::warn!(
            folder = %folder.display(),
            "the history cannot be kept in {} (state_dir), so what is counted from now on is in memory only; it is tried again \
             from time to time: {trouble}", folder.display()
            ),
        }
        self.trouble = Some(trouble.to_string());
        self.retry = (Instant::now() + PAUSES.0, PAUSES.0);
    }

    /// Forgets what is too much, the oldest first, once in an hour. What is said to be of the future does not count.
    pub(super) fn prune(&mut self, minute: u64) {
        let hour = Tier::Hour.of(minute);
        if hour == self.pruned_in {
            return;
        }
        self.pruned_in = hour;
        for (index, tier) in Tier::ALL.into_iter().enumerate() {
            let last = tier.of(minute);
            self.memory.prune(tier, last, IN_MEMORY[index]);
            if self.trouble.is_none()
                && let Some(file) = &self.file
                && let Err(trouble) = file.prune(tier, last, IN_FILE[index])
            {
                self.file = None;
                self.give_up(&trouble);
            }
        }
    }

    /// The sums of every subject from a minute to another one.
    pub(super) fn sums(&mut self, first: u64, last: u64) -> HashMap<Subject, Counts> {
        let parts = cover(first, last);
        let mut sums: HashMap<Subject, Counts> = HashMap::new();
        self.visit(&parts, &mut |key, counts| {
            sums.entry(key.subject).or_default().merge(&counts);
        });
        for (minute, subject, added) in self.unwritten() {
            if (first..=last).contains(&minute) {
                sums.entry(subject).or_default().merge(&added);
            }
        }
        sums
    }

    /// The sums of every subject in each span of a tier.
    pub(super) fn steps(
        &mut self,
        tier: Tier,
        spans: RangeInclusive<u64>,
    ) -> HashMap<(u64, Subject), Counts> {
        let mut steps: HashMap<(u64, Subject), Counts> = HashMap::new();
        self.visit(&[(tier, spans.clone())], &mut |key, counts| {
            let step = steps.entry((key.at, key.subject)).or_default();
            step.merge(&counts);
        });
        for (minute, subject, added) in self.unwritten() {
            let at = tier.of(minute);
            if spans.contains(&at) {
                steps.entry((at, subject)).or_default().merge(&added);
            }
        }
        steps
    }

    /// The first minute of which something is known, in the 91 days before this one: what is older or later was counted while
    /// the time of day was wrong, or so seldom that it is still kept.
    pub(super) fn first_minute(&self, minute: u64) -> Option<u64> {
        let oldest = minute.saturating_sub(IN_FILE[2] as u64 * Tier::Day.minutes());
        let first = |tier: Tier| {
            let from = tier.of(oldest);
            let in_file = self.file.as_ref();
            let in_file = in_file.and_then(|file| file.first(tier, from).ok()?);
            let in_memory = self.memory.first(tier, from);
            in_file.into_iter().chain(in_memory).min()
        };
        // The shortest row that lies within the first longer one is the most exact.
        let written = Tier::ALL
            .into_iter()
            .rev()
            .fold(None, |found: Option<u64>, tier| {
                let at = first(tier)? * tier.minutes();
                Some(found.filter(|found| at > found + 1440).unwrap_or(at))
            });
        let pending = self.pending.keys().next().map(|(minute, _)| *minute);
        let known = written.into_iter().chain(pending);
        known.filter(|at| *at <= minute).min()
    }

    /// The incidents that lasted at a time or later, the newest first.
    pub(super) fn incidents(&mut self, since: Millis) -> Vec<Incident> {
        let read = self.file.as_ref().map(HistoryFile::incidents);
        let mut all = match read {
            Some(Ok(incidents)) => incidents,
            Some(Err(trouble)) => {
                self.file = None;
                self.give_up(&trouble);
                BTreeMap::new()
            }
            None => BTreeMap::new(),
        };
        for (id, incident) in &self.incidents {
            match incident {
                Some(incident) => all.insert(*id, incident.clone()),
                None => all.remove(id),
            };
        }
        let all = all.into_values().rev();
        all.filter(|incident| incident.ended_at.is_none_or(|end| end >= since))
            .collect()
    }

    /// What the minutes that are not written yet add to the rows.
    fn unwritten(&self) -> Vec<(u64, Subject, Counts)> {
        let pending = self.pending.iter();
        let added = pending.map(|((minute, subject), counts)| {
            let key = Key {
                tier: Tier::Minute,
                at: *minute,
                subject: *subject,
            };
            let in_file = self.file.as_ref().and_then(|file| file.get(key).ok()?);
            let before = in_file.or_else(|| self.memory.get(key).ok()?);
            (*minute, *subject, joined(before, counts).1)
        });
        added.collect()
    }

    fn visit(&mut self, parts: &[(Tier, RangeInclusive<u64>)], visit: &mut dyn FnMut(Key, Counts)) {
        for (tier, spans) in parts {
            self.memory.visit(*tier, spans.clone(), visit);
        }
        if let Some(file) = &self.file
            && let Err(trouble) = file.visit(parts, visit)
        {
            self.file = None;
            self.give_up(&trouble);
        }
    }
}

#[cfg(test)]
impl Ledger {
    /// The bytes of all rows in memory, with what an allocation and a place in the tree cost.
    pub(super) fn held(&self) -> usize {
        let place = size_of::<(Key, Box<[u8]>)>();
        let rows = self.memory.0.values();
        // Nodes of the tree are two thirds full.
        rows.map(|row| row.len().next_multiple_of(16) + 16 + place * 3 / 2)
            .sum()
    }
}

fn add_all(
    rows: &mut (impl Rows + ?Sized),
    pending: &BTreeMap<(u64, Subject), Counts>,
) -> Result<(), redb::Error> {
    for ((minute, subject), counts) in pending {
        add(rows, *minute, *subject, counts)?;
    }
    Ok(())
}
