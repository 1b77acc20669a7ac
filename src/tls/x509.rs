//! What a certificate says, as text. rustls checks certificates and does not tell what is in them.
//!
//! Nothing is decided by what is read here, but for warnings at load time and what a client's
//! certificate adds to the facts of a request.

use rustls::pki_types::CertificateDer;
use x509_cert::{
    certificate::{CertificateInner, Raw},
    der::{Decode, oid::ObjectIdentifier},
    ext::pkix::{SubjectAltName, name::GeneralName},
    time::Time,
};

use crate::http::ClientCertificate;

const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Characters of a line of PEM.
const PEM_COLUMNS: usize = 64;

/// A certificate that was read.
pub(super) struct Read<'d> {
    certificate: CertificateInner<Raw>,
    der: &'d [u8],
}

impl<'d> Read<'d> {
    /// Reads a certificate; `None` when it is none.
    pub(super) fn parse(der: &'d CertificateDer<'_>) -> Option<Self> {
        let certificate = CertificateInner::<Raw>::from_der(der).ok()?;
        Some(Self { certificate, der })
    }

    /// The DNS names that it is for, in lower case.
    pub(super) fn dns_names(&self) -> Vec<String> {
        let extensions = self.certificate.tbs_certificate().extensions();
        let found = extensions.into_iter().flatten().find(|one| one.extn_id == SUBJECT_ALT_NAME);
        let names = found.and_then(|one| SubjectAltName::from_der(one.extn_value.as_bytes()).ok());
        let dns = |name: &GeneralName| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
            _ => None,
        };
        names.map(|names| names.0.iter().filter_map(dns).collect()).unwrap_or_default()
    }

    /// Whose it is.
    pub(super) fn subject(&self) -> String {
        self.certificate.tbs_certificate().subject().to_string()
    }

    /// The seconds since 1970 between which it is valid.
    pub(super) fn validity(&self) -> (u64, u64) {
        let validity = self.certificate.tbs_certificate().validity();
        let seconds = |time: &Time| time.to_unix_duration().as_secs();
        (seconds(&validity.not_before), seconds(&validity.not_after))
    }

    /// The two dates as text.
    pub(super) fn dates(&self) -> (String, String) {
        let validity = self.certificate.tbs_certificate().validity();
        (date(&validity.not_before), date(&validity.not_after))
    }

    /// Its key is RSA's, and shorter than 2,048 bits.
    pub(super) fn is_weak(&self) -> bool {
        const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
        let key = self.certificate.tbs_certificate().subject_public_key_info();
        let bytes = key.subject_public_key.raw_bytes();
        // A modulus of 2,048 bits, an exponent of one byte and the frame around them are 268.
        key.algorithm.oid == RSA && bytes.len() < 268
    }

    /// What a request says of the client.
    pub(super) fn of_client(&self) -> ClientCertificate {
        let body = self.certificate.tbs_certificate();
        let (not_before, not_after) = self.dates();
        ClientCertificate {
            pem: pem(self.der),
            subject_dn: body.subject().to_string(),
            issuer_dn: body.issuer().to_string(),
            serial_number: serial(body.serial_number().as_bytes()),
            not_before,
            not_after,
        }
    }
}

/// OpenSSL's form, which AWS passes on: `Aug  5 09:36:04 2021 GMT`.
fn date(time: &Time) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = time.to_date_time();
    let month = MONTHS[usize::from(date.month().clamp(1, 12) - 1)];
    let (day, hour, minute, second) = (date.day(), date.hour(), date.minutes(), date.seconds());
    format!("{month} {day:>2} {hour:02}:{minute:02}:{second:02} {} GMT", date.year())
}

/// A number's bytes without the zero that keeps it positive.
fn serial(bytes: &[u8]) -> String {
    let bytes = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

fn pem(der: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut column = 0;
    for three in der.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place) & 63) as usize;
            text.push(if place <= three.len() { BASE64[six] as char } else { '=' });
        }
        column += 4;
        if column == PEM_COLUMNS {
            text.push('\n');
            column = 0;
        }
    }
    if column > 0 {
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SerialNumber};
    use rustls::pki_types::pem::PemObject;

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["A.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2019, 5, 28);
        params.not_after = rcgen::date_time_ymd(2052, 8, 5);
        let mut name = DistinguishedName::new();
        name.push(DnType::CountryName, "DE");
        name.push(DnType::OrganizationName, "Tom, Dick");
        name.push(DnType::CommonName, "orders");
        params.distinguished_name = name;
        params.serial_number = Some(SerialNumber::from_slice(&[0xa1, 7]));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn a_certificate_is_told_as_aws_tells_it() {
        let der = made(|_| {});
        let read = Read::parse(&der).unwrap();
        let told = read.of_client();
        assert_eq!(told.subject_dn, r"CN=orders,O=Tom\, Dick,C=DE");
        assert_eq!(told.issuer_dn, told.subject_dn);
        assert_eq!(told.serial_number, "a1:07");
        assert_eq!(told.not_before, "May 28 00:00:00 2019 GMT");
        assert_eq!(told.not_after, "Aug  5 00:00:00 2052 GMT");
        assert_eq!(read.dns_names(), ["a.example"]);
        assert!(!read.is_weak());
    }

    #[test]
    fn pem_is_read_again() {
        for length in 1..70 {
            let der = made(|params| {
                let name = "x".repeat(length);
                params.distinguished_name.push(DnType::CommonName, name);
            });
            let pem = Read::parse(&der).unwrap().of_client().pem;
            let again = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            assert_eq!(again, der);
            assert!(pem.lines().all(|line| line.len() <= PEM_COLUMNS));
        }
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        assert!(Read::parse(&CertificateDer::from(vec![0x30, 0])).is_none());
        let der = made(|_| {});
        for cut in 0..der.len() {
            assert!(Read::parse(&CertificateDer::from(&der[..cut])).is_none());
        }
    }
}
