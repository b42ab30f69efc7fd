//! What can go wrong between a caller and a system.

use std::time::Duration;

use rand::RngExt as _;

use crate::world::{State, draws};

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is answered.
    Answered,
    /// The connection is closed before anything happens.
    Reset,
    /// A proxy in front answers with this status, and nothing happens.
    ServerError(u16),
    /// It has its effect, but the answer never arrives.
    LostAnswer,
}

/// Draws what happens to a request, and how long it is held up before.
pub(super) fn draw(state: &mut State) -> (Fate, Option<Duration>) {
    let faults = &state.faults;
    let (latency, reset, error, lost) = (
        faults.latency,
        faults.reset,
        faults.server_error,
        faults.lost_answer,
    );
    if latency + reset + error + lost <= 0.0 {
        return (Fate::Answered, None);
    }
    let rng = &mut state.fault_rng;
    let held = hit(rng, latency).then(|| draws::network_delay(rng));
    let fate = if hit(rng, reset) {
        Fate::Reset
    } else if hit(rng, error) {
        Fate::ServerError([500, 502, 503, 504][rng.random_range(0..4_usize)])
    } else if hit(rng, lost) {
        Fate::LostAnswer
    } else {
        Fate::Answered
    };
    (fate, held)
}

fn hit(rng: &mut rand::rngs::StdRng, share: f64) -> bool {
    share > 0.0 && rng.random::<f64>() < share
}
