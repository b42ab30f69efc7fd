//! PCI devices of a Proxmox cluster: who has which, and one more or less for a VM.

use std::process::ExitCode;

use bins::args::Common;
use bins::proxmox::Proxmox;
use bins::run;
use bins::verbs::gpu;
use clap::{Parser, Subcommand};

/// List, attach and detach GPUs of a Proxmox cluster
///
/// The cluster is found by PROXMOX_VE_ENDPOINT and PROXMOX_VE_API_TOKEN, by flags, or by the `proxmox` section of a site
/// file. The token needs VM.Audit, VM.Config.HWType, Sys.Audit, Mapping.Audit and Mapping.Use on `/`.
#[derive(Debug, Parser)]
#[command(name = "proxmox-gpu", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    proxmox: Proxmox,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(visible_alias = "ls")]
    List(gpu::list::List),
    Mappings(gpu::mappings::Mappings),
    Attach(gpu::attach::Attach),
    Detach(gpu::detach::Detach),
}

fn main() -> ExitCode {
    run::main(
        |arguments: &Arguments| &arguments.common,
        |arguments, screen| {
            let proxmox = &arguments.proxmox;
            match &arguments.verb {
                Verb::List(list) => gpu::list::run(list, proxmox, screen),
                Verb::Mappings(mappings) => gpu::mappings::run(mappings, proxmox, screen),
                Verb::Attach(attach) => gpu::attach::run(attach, proxmox, screen),
                Verb::Detach(detach) => gpu::detach::run(detach, proxmox, screen),
            }
        },
    )
}
