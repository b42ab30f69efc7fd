//! Time and chance as a port, so that a year of backoff is tested in a second.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use ring::rand::{SecureRandom as _, SystemRandom};

/// Where clients and the engine get time and jitter from.
pub trait Clock: Send + Sync + Debug {
    /// Time since a fixed but arbitrary point. Never goes back.
    fn now(&self) -> Duration;
    /// The wall clock, as signatures and certificates need it.
    fn wall(&self) -> SystemTime;
    /// A number in `0.0..1.0`, for jitter.
    fn random(&self) -> f64;
    /// Completes when `duration` of this clock's time has passed.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Tokio's timer, optionally run faster than real time.
///
/// Under a paused tokio runtime this is a virtual clock. With a speed other
/// than 1 a whole rehearsal, the simulated site included, runs that much
/// faster; deadlines of single network calls stay in real time.
#[derive(Debug, Clone)]
pub struct TokioClock {
    start: tokio::time::Instant,
    wall_start: SystemTime,
    speed: f64,
}

impl TokioClock {
    /// A clock that runs in real time.
    pub fn real() -> Self {
        Self::scaled(1.0)
    }

    /// A clock that runs `speed` times as fast as real time.
    ///
    /// A speed that is not a positive number counts as 1.
    pub fn scaled(speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 {
            speed
        } else {
            1.0
        };
        Self {
            start: tokio::time::Instant::now(),
            wall_start: SystemTime::now(),
            speed,
        }
    }

    /// How many times faster than real time this clock runs.
    pub fn speed(&self) -> f64 {
        self.speed
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Duration {
        self.start.elapsed().mul_f64(self.speed)
    }

    fn wall(&self) -> SystemTime {
        self.wall_start + self.now()
    }

    fn random(&self) -> f64 {
        let mut bytes = [0; 4];
        // Without entropy there is no jitter, which harms nobody.
        let _ = SystemRandom::new().fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration.div_f64(self.speed)))
    }
}
