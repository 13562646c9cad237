//! The signals that end the program.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Receives SIGINT and SIGTERM, or Ctrl-C on systems without signals.
#[derive(Debug)]
pub struct Signals {
    source: Source,
}

/// The origin of signals.
#[derive(Debug)]
enum Source {
    /// The system.
    #[cfg(unix)]
    System { interrupt: Signal, terminate: Signal },
    #[cfg(not(unix))]
    System,
    /// The program that runs this one as a library.
    Caller(mpsc::Receiver<()>),
}

impl Signals {
    /// Starts to receive the signals. They no longer end the process by themselves from here on.
    ///
    /// # Errors
    ///
    /// The system refuses to report them.
    #[cfg(unix)]
    pub fn new() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { source: Source::System { interrupt, terminate } })
    }

    #[cfg(not(unix))]
    pub fn new() -> io::Result<Self> {
        Ok(Self { source: Source::System })
    }

    /// Receives a signal for each value of this channel, and none from the system. There are no more once the sender is dropped.
    pub fn from_caller(signals: mpsc::Receiver<()>) -> Self {
        Self { source: Source::Caller(signals) }
    }

    /// Waits for the next signal.
    pub async fn any(&mut self) {
        match &mut self.source {
            #[cfg(unix)]
            Source::System { interrupt, terminate } => {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
            #[cfg(not(unix))]
            Source::System => {
                if tokio::signal::ctrl_c().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            Source::Caller(signals) => {
                if signals.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}
