//! The same answers over a real connection, where statuses that no standard knows, missing lengths and
//! reason phrases must get through.

use proxmox_client::{Client, Error};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::{TOKEN, kind};

/// Serves one answer as it stands on the wire, for each connection, and closes it.
async fn serve(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}/api2/json")
}

async fn config(answer: &'static str) -> Result<(), Error> {
    let client = Client::builder(serve(answer).await)
        .api_token(TOKEN.to_owned().into())
        .build()
        .unwrap();
    client.vm_config("pve2", 100).await.map(drop)
}

#[tokio::test]
async fn what_no_standard_knows_gets_through() {
    for (answer, want) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n{\"data\":{\"digest\":\"abcd\"}}",
            "ok",
        ),
        // Both connection headers, as pveproxy sends them for calls it hands on.
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: Keep-Alive\r\n\r\n{\"data\":{\"digest\":\"x\"}}",
            "ok",
        ),
        (
            "HTTP/1.1 595 Network is unreachable\r\nConnection: close\r\n\r\n",
            "server NodeUnreachable",
        ),
        (
            "HTTP/1.1 596 error:0A000086:SSL routines::certificate verify failed\r\nConnection: close\r\n\r\n",
            "server NodeFailed",
        ),
        (
            "HTTP/1.1 401 Authentication failed!\r\nConnection: close\r\n\r\n",
            "unauthorized Token",
        ),
        // As releases before 2025 answer.
        (
            "HTTP/1.1 500 Configuration file 'nodes/pve2/qemu-server/100.conf' does not exist\r\n\
             Content-Length: 13\r\n\r\n{\"data\":null}",
            "absent Vm",
        ),
        (
            "HTTP/1.1 403 Permission check failed (/vms/100, VM.Audit)\r\nConnection: close\r\n\r\n",
            "denied /vms/100 VM.Audit",
        ),
    ] {
        assert_eq!(kind(&config(answer).await), want, "{answer}");
    }
}

#[tokio::test]
async fn plain_http_is_sent_on_to_https() {
    let redirect = "HTTP/1.1 301 Moved Permanently\r\nLocation: https://127.0.0.1:8006/\r\nContent-Length: 0\r\n\r\n";
    let error = config(redirect).await.unwrap_err();
    assert!(
        matches!(error, Error::Transport { .. }) && !error.is_retryable(),
        "{error}"
    );
}
