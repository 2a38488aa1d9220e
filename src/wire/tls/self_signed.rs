//! Accepts servers that present exactly a certificate that we were told to trust.
//!
//! `openssl req -x509` makes self-signed certificates that are marked as authorities. A server may not present one as its
//! own (webpki: `CaUsedAsEndEntity`), but that is what servers in a house do, and curl, Python and Node accept it.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, VerifierBuilderError};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

/// The usual checks, but an authority in `own` may also stand for itself.
#[derive(Debug)]
pub(super) struct SelfSigned {
    usual: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl SelfSigned {
    pub(super) fn new(
        roots: RootCertStore,
        own: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, VerifierBuilderError> {
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let usual = usual.build()?;
        Ok(Self { usual, own })
    }
}

impl ServerCertVerifier for SelfSigned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let usual = &self.usual;
        match usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The dates have been checked before this error is found.
            Err(error) if is_authority(&error) && self.own.contains(end_entity) => {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                verify_server_name(&certificate, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) = error else {
        return false;
    };
    matches!(cause.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{CertificateError, Error, RootCertStore};

    use super::SelfSigned;
    use crate::wire::tls::provider;

    /// As `openssl req -x509` makes it.
    fn authority(until_year: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["llm.house".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn verify(
        own: &CertificateDer<'static>,
        shown: &CertificateDer<'static>,
        name: &str,
    ) -> Result<(), Error> {
        let mut roots = RootCertStore::empty();
        roots.add(own.clone()).unwrap();
        let verifier = SelfSigned::new(roots, vec![own.clone()], provider()).unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let in_2026 = UnixTime::since_unix_epoch(Duration::from_secs(1_790_000_000));
        verifier
            .verify_server_cert(shown, &[], &name, &[], in_2026)
            .map(|_| ())
    }

    #[test]
    fn exactly_the_given_certificate_is_accepted_with_its_name_and_dates() {
        let own = authority(2040);
        assert_eq!(verify(&own, &own, "llm.house"), Ok(()));
        let other = authority(2040);
        assert!(verify(&own, &other, "llm.house").is_err());
        let invalid = |result| match result {
            Err(Error::InvalidCertificate(why)) => why,
            other => panic!("{other:?}"),
        };
        let why = invalid(verify(&own, &own, "elsewhere.house"));
        assert!(
            matches!(why, CertificateError::NotValidForNameContext { .. }),
            "{why:?}"
        );
        let expired = authority(2024);
        let why = invalid(verify(&expired, &expired, "llm.house"));
        assert!(
            matches!(why, CertificateError::ExpiredContext { .. }),
            "{why:?}"
        );
    }
}
