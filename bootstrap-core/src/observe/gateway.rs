//! The gateway's lists.

use super::GatewayView;
use crate::ports::{Gateway, PortResult};

pub(super) async fn observe(gateway: &dyn Gateway) -> PortResult<GatewayView> {
    // The role comes first: a wrong key is then one clear error and not seven.
    let site = gateway.site().await?;
    // A gateway takes few requests at once.
    let (networks, upstream, dns) = tokio::try_join!(
        gateway.networks(),
        gateway.upstream(),
        gateway.dns_records()
    )?;
    let (records, past) = tokio::try_join!(gateway.client_records(), gateway.past_clients())?;
    let mut view = GatewayView {
        role: site.role,
        networks,
        upstream,
        records,
        past,
        dns,
        ..GatewayView::default()
    };
    refresh_presence(gateway, &mut view).await?;
    Ok(view)
}

/// What reservations are judged by; the rest of the view stays empty.
pub(super) async fn addresses(gateway: &dyn Gateway) -> PortResult<GatewayView> {
    // The role comes first here, too.
    let site = gateway.site().await?;
    let mut view = GatewayView {
        role: site.role,
        networks: gateway.networks().await?,
        ..GatewayView::default()
    };
    refresh(gateway, &mut view).await?;
    Ok(view)
}

pub(super) async fn refresh(gateway: &dyn Gateway, view: &mut GatewayView) -> PortResult<()> {
    view.records = gateway.client_records().await?;
    refresh_presence(gateway, view).await
}

async fn refresh_presence(gateway: &dyn Gateway, view: &mut GatewayView) -> PortResult<()> {
    let (active, leases) = tokio::try_join!(gateway.active_clients(), gateway.leases())?;
    view.active = active;
    view.leases = leases;
    Ok(())
}
