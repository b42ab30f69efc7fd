//! Ctrl-C and SIGTERM: the first finishes the running action, the second ends at once.

use tokio::sync::watch;

use crate::run::Exit;

/// Turns true at the first signal; the exit code it asks for.
#[derive(Debug, Clone)]
pub struct Stop {
    /// For the engine.
    pub asked: watch::Receiver<bool>,
    exit: watch::Receiver<Exit>,
}

impl Stop {
    /// The exit code of the signal that came.
    pub fn exit(&self) -> Exit {
        *self.exit.borrow()
    }
}

/// Listens from now on.
pub fn listen() -> Stop {
    let (ask, asked) = watch::channel(false);
    let (tell, exit) = watch::channel(Exit::Done);
    tokio::spawn(async move {
        let first = next().await;
        tell.send_replace(first);
        ask.send_replace(true);
        let second = next().await;
        leave(second);
    });
    Stop { asked, exit }
}

#[expect(
    clippy::exit,
    reason = "the second signal means now; every write is safe to run again"
)]
fn leave(exit: Exit) {
    std::process::exit(i32::from(exit.code()));
}

#[cfg(unix)]
async fn next() -> Exit {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return interrupt().await;
    };
    tokio::select! {
        exit = interrupt() => exit,
        _ = terminate.recv() => Exit::Terminated,
    }
}

#[cfg(not(unix))]
async fn next() -> Exit {
    interrupt().await
}

async fn interrupt() -> Exit {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    Exit::Interrupted
}
