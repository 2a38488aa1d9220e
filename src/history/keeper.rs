//! The thread that keeps the history: it writes what was counted, and answers questions about it, so that nobody waits
//! for a disk who must not.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::clock::Clock;
use super::ledger::Ledger;
use super::recorder::Recorder;
use crate::state::THREADS;

/// How many questions may wait.
const QUEUE: usize = 16;
/// How long an exit waits until the file has been written, and a question for its answer. A disk that hangs must not
/// prevent the one, nor hold up the other for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the thread has to do.
enum Task {
    /// Something is to be written.
    Keep,
    Answer(Box<dyn FnOnce(&mut Ledger) + Send>),
}

/// What the data path and the thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) recorder: Mutex<Recorder>,
    is_woken: AtomicBool,
}

impl Shared {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            recorder: Mutex::default(),
            is_woken: AtomicBool::new(false),
        }
    }

    pub(super) fn recorder(&self) -> std::sync::MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the thread its tasks. When it is dropped, everything is written first.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    tasks: Option<SyncSender<Task>>,
    /// Closed when the thread has ended.
    ended: Mutex<Receiver<()>>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
#[error("the history cannot be read now: {0}")]
pub struct Unanswered(&'static str);

impl Keeper {
    /// Keeps the history in a folder, or in memory only.
    pub(super) fn start(folder: Option<PathBuf>, shared: Arc<Shared>) -> Self {
        let (tasks, queued) = sync_channel(QUEUE);
        let (end, ended) = sync_channel(1);
        let thread = thread::Builder::new().name(format!("{THREADS}history"));
        let theirs = Arc::clone(&shared);
        let started = thread.spawn(move || {
            run(folder, &theirs, &queued);
            drop(end);
        });
        if let Err(error) = &started {
            tracing::warn!("there is no history: there is no thread for it: {error}");
        }
        Self {
            shared,
            tasks: started.is_ok().then_some(tasks),
            ended: Mutex::new(ended),
        }
    }

    /// There is something to write.
    pub(super) fn wake(&self) {
        if let Some(tasks) = &self.tasks
            && !self.shared.is_woken.swap(true, Ordering::AcqRel)
            && tasks.try_send(Task::Keep).is_err()
        {
            self.shared.is_woken.store(false, Ordering::Release);
        }
    }

    /// Asks the thread, with everything that has been counted until now.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Ledger) -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let (answer, answered) = sync_channel(1);
        let asker = Arc::new(());
        let is_awaited = Arc::downgrade(&asker);
        let task = Task::Answer(Box::new(move |ledger| {
            // Others wait behind questions that nobody asks any more, and so does the exit.
            if is_awaited.strong_count() > 0 {
                let _ = answer.send(question(ledger));
            }
        }));
        let tasks = self.tasks.as_ref().ok_or(Unanswered("it is not kept"))?;
        tasks
            .try_send(task)
            .map_err(|_| Unanswered("too many ask for it"))?;
        // A thread of the runtime would be held up; the queue bounds how many wait.
        let waiting = tokio::task::spawn_blocking(move || answered.recv_timeout(PATIENCE));
        match waiting.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(Unanswered("its disk does not answer")),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.tasks = None;
        if let Ok(ended) = self.ended.get_mut() {
            let _ = ended.recv_timeout(PATIENCE);
        }
    }
}

fn run(folder: Option<PathBuf>, shared: &Shared, queued: &Receiver<Task>) {
    let mut ledger = Ledger::new(folder);
    ledger.open();
    let mut is_resumed = resume(&mut ledger, shared);
    while let Ok(task) = queued.recv() {
        match task {
            Task::Keep => {
                shared.is_woken.store(false, Ordering::Release);
                collect(&mut ledger, shared);
                ledger.keep();
                is_resumed = is_resumed || resume(&mut ledger, shared);
                let now = shared.clock.at(tokio::time::Instant::now());
                ledger.prune(now / 60_000);
            }
            Task::Answer(answer) => {
                collect(&mut ledger, shared);
                answer(&mut ledger);
            }
        }
    }
    collect(&mut ledger, shared);
    ledger.keep();
}

/// Goes on with the incidents of the process before, as soon as they can be read: it may still have had the file.
fn resume(ledger: &mut Ledger, shared: &Shared) -> bool {
    if !ledger.knows_the_past() {
        return false;
    }
    let kept = ledger.incidents(0);
    let now = shared.clock.at(tokio::time::Instant::now());
    shared.recorder().incidents.resume(kept, now);
    true
}

fn collect(ledger: &mut Ledger, shared: &Shared) {
    let mut recorder = shared.recorder();
    let (sealed, incidents) = (recorder.take(), recorder.incidents.take());
    drop(recorder);
    ledger.take(sealed, incidents);
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Answer(_) => "Answer",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::sync_channel;

    use futures_util::FutureExt;

    use super::{Clock, Keeper, Shared};

    #[tokio::test]
    async fn a_question_that_nobody_asks_any_more_is_left_out() {
        let keeper = Keeper::start(None, Arc::new(Shared::new(Clock::new())));
        let (release, held) = sync_channel::<()>(0);
        let mut first = Box::pin(keeper.ask(move |_| held.recv().is_ok()));
        assert!(first.as_mut().now_or_never().is_none());

        let is_answered = Arc::new(AtomicBool::new(false));
        let answered = Arc::clone(&is_answered);
        let mut second = Box::pin(keeper.ask(move |_| answered.store(true, Ordering::SeqCst)));
        assert!(second.as_mut().now_or_never().is_none());
        drop(second);

        release.send(()).unwrap();
        assert!(first.await.unwrap());
        keeper.ask(|_| ()).await.unwrap();
        assert!(!is_answered.load(Ordering::SeqCst));
    }
}
