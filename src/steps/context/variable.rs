//! `$context.X`: which fact a name means, decided when a document is compiled.

use super::{Facts, Identity};
use crate::http::{ClientCertificate, Version};

/// A variable of `$context` that this version knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `apiId`
    ApiId,
    /// `identity.apiKeyId`
    ApiKeyId,
    /// `customDomain.basePathMatched`
    BasePathMatched,
    /// `customDomain.routingRuleIdMatched`
    RoutingRuleIdMatched,
    /// `authorizer.claims.X`, also as `authorizer.claims['X']`
    Claim(Box<str>),
    /// `cipherSuite`
    CipherSuite,
    /// `identity.clientCert.X`, and `authentication.clientCert.X`, which is the same.
    ClientCert(CertificatePart),
    /// `domainName`
    DomainName,
    /// `domainPrefix`: the first label of the domain name.
    DomainPrefix,
    /// `error.message`, and `error.responseType`'s place holder in HTTP APIs.
    ErrorMessage,
    /// `httpMethod`
    HttpMethod,
    /// `identity.X` of whoever signed the request.
    Signer(SignerPart),
    /// `identity.sourceIp`
    SourceIp,
    /// `identity.userAgent`
    UserAgent,
    /// `integrationLatency`, in milliseconds.
    IntegrationLatency,
    /// `integrationStatus`
    IntegrationStatus,
    /// `authorizer.principalId`: the user whose password was verified.
    PrincipalId,
    /// `path`, with the stage.
    Path,
    /// `protocol`
    Protocol,
    /// `requestId`, and `extendedRequestId`, which is the same in HTTP APIs.
    RequestId,
    /// `requestTime`, in CLF.
    RequestTime,
    /// `requestTimeEpoch`, in milliseconds.
    RequestTimeEpoch,
    /// `responseLatency`, in milliseconds.
    ResponseLatency,
    /// `responseLength`, in bytes.
    ResponseLength,
    /// `routeKey`
    RouteKey,
    /// `stage`
    Stage,
    /// `status`
    Status,
    /// `tlsVersion`
    TlsVersion,
}

/// What is known of whoever signed a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerPart {
    /// `accessKey`
    AccessKey,
    /// `accountId`
    AccountId,
    /// `caller`, and `user`.
    UserId,
    /// `userArn`
    UserArn,
    /// `principalOrgId`
    OrgId,
}

const SIGNER: [(&str, SignerPart); 6] = [
    ("accessKey", SignerPart::AccessKey),
    ("accountId", SignerPart::AccountId),
    ("caller", SignerPart::UserId),
    ("user", SignerPart::UserId),
    ("userArn", SignerPart::UserArn),
    ("principalOrgId", SignerPart::OrgId),
];

/// A part of the client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificatePart {
    /// `clientCertPem`: many lines, so it is no header field's value.
    Pem,
    /// `subjectDN`
    SubjectDn,
    /// `issuerDN`
    IssuerDn,
    /// `serialNumber`
    SerialNumber,
    /// `validity.notBefore`
    NotBefore,
    /// `validity.notAfter`
    NotAfter,
}

const PARTS: [(&str, CertificatePart); 6] = [
    ("clientCertPem", CertificatePart::Pem),
    ("subjectDN", CertificatePart::SubjectDn),
    ("issuerDN", CertificatePart::IssuerDn),
    ("serialNumber", CertificatePart::SerialNumber),
    ("validity.notBefore", CertificatePart::NotBefore),
    ("validity.notAfter", CertificatePart::NotAfter),
];

impl CertificatePart {
    fn of(self, certificate: &ClientCertificate) -> &str {
        match self {
            Self::Pem => &certificate.pem,
            Self::SubjectDn => &certificate.subject_dn,
            Self::IssuerDn => &certificate.issuer_dn,
            Self::SerialNumber => &certificate.serial_number,
            Self::NotBefore => &certificate.not_before,
            Self::NotAfter => &certificate.not_after,
        }
    }
}

const NAMES: [(&str, Variable); 28] = [
    ("apiId", Variable::ApiId),
    ("authorizer.principalId", Variable::PrincipalId),
    ("customDomain.basePathMatched", Variable::BasePathMatched),
    ("customDomain.routingRuleIdMatched", Variable::RoutingRuleIdMatched),
    ("cipherSuite", Variable::CipherSuite),
    ("domainName", Variable::DomainName),
    ("domainPrefix", Variable::DomainPrefix),
    ("error.message", Variable::ErrorMessage),
    ("extendedRequestId", Variable::RequestId),
    ("httpMethod", Variable::HttpMethod),
    ("identity.apiKeyId", Variable::ApiKeyId),
    ("identity.sourceIp", Variable::SourceIp),
    ("identity.userAgent", Variable::UserAgent),
    ("integration.integrationStatus", Variable::IntegrationStatus),
    ("integration.latency", Variable::IntegrationLatency),
    ("integration.status", Variable::IntegrationStatus),
    ("integrationLatency", Variable::IntegrationLatency),
    ("integrationStatus", Variable::IntegrationStatus),
    ("path", Variable::Path),
    ("protocol", Variable::Protocol),
    ("requestId", Variable::RequestId),
    ("requestTime", Variable::RequestTime),
    ("requestTimeEpoch", Variable::RequestTimeEpoch),
    ("responseLatency", Variable::ResponseLatency),
    ("responseLength", Variable::ResponseLength),
    ("routeKey", Variable::RouteKey),
    ("stage", Variable::Stage),
    ("tlsVersion", Variable::TlsVersion),
];

/// Names that AWS knows and this version does not fill.
const LATER: [&str; 11] = [
    "accountId",
    "authorizer.",
    "awsEndpointRequestId",
    "awsEndpointRequestId2",
    "dataProcessed",
    "error.messageString",
    "error.responseType",
    "identity.",
    "integration.",
    "integrationErrorMessage",
    "status.",
];

impl Variable {
    /// The variable of a name, without the leading `$context.`.
    ///
    /// # Errors
    /// One sentence: not known at all, or not filled by this version.
    pub fn parse(name: &str) -> Result<Self, String> {
        if name == "status" {
            return Ok(Self::Status);
        }
        let certificate = ["identity.clientCert.", "authentication.clientCert."];
        if let Some(part) = certificate.iter().find_map(|before| name.strip_prefix(before)) {
            let known = PARTS.iter().find(|(known, _)| *known == part);
            let (_, part) = known.ok_or_else(|| {
                format!("$context.{name} is not a variable: a client's certificate has no {part}")
            })?;
            return Ok(Self::ClientCert(*part));
        }
        let signer = name.strip_prefix("identity.").and_then(|part| {
            SIGNER.iter().find(|(known, _)| *known == part).map(|(_, part)| Self::Signer(*part))
        });
        if let Some(signer) = signer {
            return Ok(signer);
        }
        let quoted = name.strip_prefix("authorizer.claims['").and_then(|x| x.strip_suffix("']"));
        let claim = quoted.or_else(|| name.strip_prefix("authorizer.claims."));
        if let Some(claim) = claim.filter(|claim| !claim.is_empty()) {
            return Ok(Self::Claim(claim.into()));
        }
        if let Some((_, variable)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(variable.clone());
        }
        let later =
            |known: &str| name == known || (known.ends_with('.') && name.starts_with(known));
        if LATER.iter().any(|known| later(known)) {
            return Err(format!("$context.{name} is not supported by this version"));
        }
        Err(format!("$context.{name} is not a variable that HTTP APIs have"))
    }

    /// Appends the fact; `false`, and nothing appended, when it is not known for this request.
    pub fn render(&self, facts: &Facts<'_>, out: &mut Vec<u8>) -> bool {
        let arrival = &facts.arrival;
        let text: Option<&[u8]> = match self {
            Self::ApiId => facts.target().map(|target| target.api_id.as_bytes()),
            Self::ApiKeyId => facts.api_key_id().map(str::as_bytes),
            Self::Claim(name) => {
                facts.claims().and_then(|claims| claims.find(name)).map(str::as_bytes)
            }
            Self::PrincipalId => facts.principal().map(str::as_bytes),
            Self::Signer(part) => facts.identity().map(|identity| part.of(identity).as_bytes()),
            Self::CipherSuite => arrival.secured.map(|secured| secured.cipher_suite.as_bytes()),
            Self::TlsVersion => arrival.secured.map(|secured| secured.version.as_bytes()),
            Self::ClientCert(part) => {
                facts.client().map(|certificate| part.of(certificate).as_bytes())
            }
            Self::Stage => facts.target().map(|target| target.stage.as_bytes()),
            Self::RouteKey => facts.route_key().map(str::as_bytes),
            Self::BasePathMatched => Some(facts.custom_domain().base_path.as_bytes()),
            Self::RoutingRuleIdMatched => Some(facts.custom_domain().routing_rule_id.as_bytes()),
            Self::DomainName => Some(arrival.domain_name),
            Self::DomainPrefix => arrival.domain_name.split(|&byte| byte == b'.').next(),
            Self::ErrorMessage => facts.rejected().map(|reject| reject.reason().as_bytes()),
            Self::HttpMethod => arrival.method.map(|method| method.as_str().as_bytes()),
            Self::SourceIp => Some(arrival.source_ip),
            Self::UserAgent => Some(arrival.user_agent),
            Self::Path => Some(arrival.path),
            Self::Protocol => arrival.version.map(|version| match version {
                Version::Http10 => b"HTTP/1.0".as_slice(),
                Version::Http11 => b"HTTP/1.1",
                Version::Http2 => b"HTTP/2.0",
            }),
            Self::RequestId => Some(arrival.request_id.as_bytes()),
            Self::RequestTime => Some(arrival.request_time.as_bytes()),
            _ => return render_number(self.number(facts), out),
        };
        let Some(text) = text.filter(|text| !text.is_empty()) else { return false };
        out.extend_from_slice(text);
        true
    }

    fn number(&self, facts: &Facts<'_>) -> Option<u64> {
        let ms = |wait: std::time::Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        match self {
            Self::RequestTimeEpoch => Some(facts.arrival.received.0),
            Self::IntegrationLatency => facts.integrated().map(|done| ms(done.latency)),
            Self::IntegrationStatus => facts.integrated().map(|done| u64::from(done.status.code())),
            Self::ResponseLatency => facts.outcome().map(|end| ms(end.latency)),
            Self::ResponseLength => facts.outcome().map(|end| end.response_length),
            Self::Status => facts.outcome().map(|end| u64::from(end.status.code())),
            _ => None,
        }
    }
}

impl SignerPart {
    const fn of<'a>(self, identity: &Identity<'a>) -> &'a str {
        match self {
            Self::AccessKey => identity.access_key,
            Self::AccountId => identity.account_id,
            Self::UserId => identity.user_id,
            Self::UserArn => identity.user_arn,
            Self::OrgId => identity.org_id,
        }
    }
}

fn render_number(number: Option<u64>, out: &mut Vec<u8>) -> bool {
    let Some(number) = number else { return false };
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    true
}
