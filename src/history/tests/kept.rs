//! What is kept, and for how long: when the time of day is wrong, and when the file is taken away.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Outcome, attempt, counts, start};
use crate::event::Sink;
use crate::history::counts::Counts;
use crate::history::ledger::Ledger;
use crate::history::recorder::Sealed;
use crate::history::subject::Subject;

const DAY: u64 = 1440;
/// Some minute of today.
const NOW: u64 = 20_000 * DAY + 700;

/// A request is counted in this minute, and what is too much is forgotten.
fn count(ledger: &mut Ledger, minute: u64) {
    let counts = Counts {
        requests: 1,
        ..Counts::default()
    };
    let subject = Subject::CLIENTS;
    let sealed = Sealed {
        minute,
        subject,
        counts,
    };
    ledger.take(vec![sealed], BTreeMap::new());
    ledger.keep();
    ledger.prune(minute);
}

fn requests(ledger: &mut Ledger, first: u64, last: u64) -> u64 {
    let sums = ledger.sums(first, last);
    sums.get(&Subject::CLIENTS)
        .map_or(0, |counts| counts.requests)
}

fn ledgers(folder: &Path) -> [Ledger; 2] {
    let mut in_file = Ledger::new(Some(folder.to_owned()));
    in_file.open();
    [in_file, Ledger::new(None)]
}

#[test]
fn a_clock_that_is_wrong_for_a_while_loses_nothing_that_was_counted() {
    let folder = tempfile::tempdir().unwrap();
    for mut ledger in ledgers(folder.path()) {
        count(&mut ledger, NOW);
        for wrong in [NOW + 31 * DAY, NOW + 4000 * DAY, 3] {
            count(&mut ledger, wrong);
        }
        count(&mut ledger, NOW + 61);
        assert_eq!(requests(&mut ledger, NOW, NOW + 61), 2);
        assert_eq!(requests(&mut ledger, NOW - 90 * DAY, NOW + 61), 2);
        assert_eq!(ledger.first_minute(NOW + 61), Some(NOW), "not 1970");
    }
}

#[test]
fn nothing_is_known_since_a_time_that_is_still_to_come() {
    let folder = tempfile::tempdir().unwrap();
    for mut ledger in ledgers(folder.path()) {
        count(&mut ledger, NOW + 4000 * DAY);
        assert_eq!(ledger.first_minute(NOW), None, "the clock was wrong");
        count(&mut ledger, NOW);
        assert_eq!(ledger.first_minute(NOW + 1), Some(NOW));
    }
}

#[test]
fn what_is_too_much_is_forgotten_the_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    for mut ledger in ledgers(folder.path()) {
        for day in 0..91 {
            count(&mut ledger, NOW + day * DAY);
        }
        let whole_days = (NOW / DAY * DAY, NOW / DAY * DAY + 200 * DAY);
        assert_eq!(requests(&mut ledger, whole_days.0, whole_days.1), 91);
        count(&mut ledger, NOW + 91 * DAY);
        count(&mut ledger, NOW + 92 * DAY);
        assert_eq!(requests(&mut ledger, whole_days.0, whole_days.1), 91);
        assert_eq!(requests(&mut ledger, whole_days.0, NOW + 2 * DAY), 1);
    }
}

#[tokio::test]
async fn a_folder_that_is_removed_is_said_and_made_anew() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("state");
    let history = start(Some(&folder));
    let trouble = async || {
        history.tick(Instant::now(), &[], false);
        history.availability().await.unwrap().trouble
    };
    history.record(&attempt(Outcome::Success, 10));
    assert_eq!(trouble().await, None);
    std::fs::remove_dir_all(&folder).unwrap();
    history.record(&attempt(Outcome::Success, 10));
    let said = trouble().await.unwrap();
    assert!(said.ends_with("was removed or replaced"), "{said}");
    while trouble().await.is_some() {
        sleep(Duration::from_millis(50)).await;
    }
    drop(history);
    let history = start(Some(&folder));
    let counted = counts(&history, "1h").await[1].requests;
    assert_eq!(counted, 1, "what came after it");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_link_that_leads_nowhere_now_is_left_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (link, volume) = (folder.path().join("history.redb"), folder.path().join("v"));
    std::os::unix::fs::symlink(volume.join("history.redb"), &link).unwrap();
    let history = start(Some(folder.path()));
    assert!(history.availability().await.unwrap().trouble.is_some());
    std::fs::create_dir(&volume).unwrap();
    history.record(&attempt(Outcome::Success, 10));
    drop(history);
    assert!(link.is_symlink());
    let history = start(Some(folder.path()));
    assert_eq!(history.availability().await.unwrap().trouble, None);
    assert!(volume.join("history.redb").exists());
}
