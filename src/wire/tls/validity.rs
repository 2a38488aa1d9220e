//! From when until when the certificates in a file are valid.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

/// A span of time, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its beginning.
    pub from: u64,
    /// Its end.
    pub until: u64,
}

/// When all of these certificates are valid, as far as they can be read.
pub(super) fn of(chain: &[CertificateDer<'_>]) -> Validity {
    let all = Validity {
        from: 0,
        until: u64::MAX,
    };
    let each = chain.iter().filter_map(of_one);
    each.fold(all, |all, one| Validity {
        from: all.from.max(one.from),
        until: all.until.min(one.until),
    })
}

/// The dates are the first that is checked, so they can be learnt by a check at the beginning and the end of time.
fn of_one(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let at = |seconds| {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let usage = KeyUsage::server_auth();
        let checked = certificate.verify_for_usage(&[], &[], &[], time, usage, None, None);
        checked.err()
    };
    let from = match at(0) {
        Some(Error::CertNotValidYet { not_before, .. }) => not_before.as_secs(),
        _ => 0,
    };
    match at(u64::MAX) {
        Some(Error::CertExpired { not_after, .. }) => Some(Validity {
            from,
            until: not_after.as_secs(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;

    use super::{Validity, of};

    /// 2001-01-01 and 2002-01-01.
    const DAYS: (u64, u64) = (978_307_200, 1_009_843_200);

    fn certificate(from: i32, until: i32, is_authority: bool) -> CertificateDer<'static> {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        if is_authority {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn a_chain_is_valid_while_all_of_its_certificates_are() {
        let (from, until) = DAYS;
        let first = certificate(2000, 2002, false);
        assert_eq!(of(std::slice::from_ref(&first)).until, until);
        let chain = [first, certificate(2001, 2099, true)];
        assert_eq!(of(&chain), Validity { from, until });
    }
}
