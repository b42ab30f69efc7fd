//! The site in memory: the engine's ports straight on the [`World`](crate::World), without sockets. Waits go
//! through the world's clock, so a paused runtime runs them in no time.

pub mod dns;
pub mod gateway;
pub mod omni;
pub mod proxmox;
