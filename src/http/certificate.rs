//! What is told of a TLS connection and of the client's certificate, as AWS writes it.

/// A TLS connection, as its requests tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secured {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher suite, by IANA's name.
    pub cipher_suite: &'static str,
    /// The certificate that the client proved to have.
    pub client: Option<ClientCertificate>,
}

/// The certificate that a client proved to have, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The whole certificate, PEM.
    pub pem: String,
    /// Whose it is: `CN=orders,O=Example` (RFC 4514).
    pub subject_dn: String,
    /// Who signed it, in the same form.
    pub issuer_dn: String,
    /// Its number, bytes in hexadecimal: `a1:07`.
    pub serial_number: String,
    /// From when it is valid: `May 28 12:30:02 2019 GMT`.
    pub not_before: String,
    /// Until when.
    pub not_after: String,
}
