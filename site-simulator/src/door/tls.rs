//! A private CA and a certificate for each door.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use api_transport::Fingerprint;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::Error;

/// The CA.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    extra_name: String,
}

impl Authority {
    /// A fresh CA; its certificates are also good for `extra_name`.
    pub(super) fn new(extra_name: String) -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let mut params =
            CertificateParams::new(Vec::<String>::new()).map_err(Error::Certificate)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "site simulator");
        let certificate = params.self_signed(&key).map_err(Error::Certificate)?;
        Ok(Self {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
            extra_name,
        })
    }

    pub(super) fn pem(&self) -> String {
        self.pem.clone()
    }

    /// A certificate for a door on loopback.
    pub(super) fn issue(&self) -> Result<(TlsAcceptor, Fingerprint), Error> {
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let mut names = vec!["localhost".to_owned()];
        // A name that no certificate can hold is left out; the doors are reached by address.
        if self.extra_name.is_ascii() && !self.extra_name.is_empty() {
            names.push(self.extra_name.clone());
        }
        let mut params = CertificateParams::new(names).map_err(Error::Certificate)?;
        params
            .subject_alt_names
            .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params
            .distinguished_name
            .push(DnType::CommonName, "simulated system");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(Error::Certificate)?;
        let der = certificate.der().clone();
        let digest = ring::digest::digest(&ring::digest::SHA256, &der);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest.as_ref());
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .with_no_client_auth()
            .with_single_cert(vec![der], private)
            .map_err(Error::Tls)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok((
            TlsAcceptor::from(Arc::new(config)),
            Fingerprint(fingerprint),
        ))
    }
}
