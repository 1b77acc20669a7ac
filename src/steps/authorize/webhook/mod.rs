//! Signatures of webhooks, by HMAC-SHA256 over the body as it was sent: the schemes of GitHub,
//! Stripe and Slack. Ringway's own, AWS has none.
//!
//! Pure: the body is read by the gateway, `now` is an argument. Within its time a signature holds
//! for every request that has it: who may record and repeat requests is TLS's to keep out, and a
//! receiver tells repeated deliveries by their ids. What is refused, and why, is told in
//! [`attacks`].

#[doc = include_str!("attacks.md")]
pub mod attacks {}

use aws_lc_rs::hmac;

use crate::{
    base::WallTime,
    http::{Fields, hex_digest},
    steps::reject::SignatureFault,
};

/// Whose webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// `X-Hub-Signature-256: sha256=HEX`, over the body. It signs no time.
    GitHub,
    /// `Stripe-Signature: t=SECONDS,v1=HEX`, over the time, a dot and the body.
    Stripe,
    /// `X-Slack-Signature: v0=HEX`, over `v0`, `X-Slack-Request-Timestamp` and the body, colons
    /// between them.
    Slack,
}

const SLACK_TIME: &[u8] = b"x-slack-request-timestamp";
const DIGEST_BYTES: usize = 32;

impl Provider {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::GitHub, Self::Stripe, Self::Slack];

    /// As documents name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitHub => "GITHUB",
            Self::Stripe => "STRIPE",
            Self::Slack => "SLACK",
        }
    }

    /// The field that has the signature, as it is written.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::GitHub => "X-Hub-Signature-256",
            Self::Stripe => "Stripe-Signature",
            Self::Slack => "X-Slack-Signature",
        }
    }

    const fn header_lower(self) -> &'static [u8] {
        match self {
            Self::GitHub => b"x-hub-signature-256",
            Self::Stripe => b"stripe-signature",
            Self::Slack => b"x-slack-signature",
        }
    }

    /// Whether it signs a time.
    #[must_use]
    pub const fn has_time(self) -> bool {
        !matches!(self, Self::GitHub)
    }
}

/// A webhook authorizer, compiled.
pub struct WebhookAuthorizer {
    /// The name of its security scheme.
    pub name: String,
    /// Whose webhooks it takes.
    pub provider: Provider,
    secrets: Box<[hmac::Key]>,
    tolerance_seconds: u64,
}

/// What a request says of its signature.
struct Said<'r> {
    /// The time, as it is signed; empty without one.
    time: &'r [u8],
    signatures: Signatures<'r>,
}

/// The text that has them.
#[derive(Clone, Copy)]
enum Signatures<'r> {
    One([u8; DIGEST_BYTES]),
    /// All members `v1` of Stripe's list.
    Listed(&'r [u8]),
}

impl WebhookAuthorizer {
    /// Compiles one. Any of the secrets may have signed.
    #[must_use]
    pub fn compile<'s>(
        name: String,
        provider: Provider,
        secrets: impl IntoIterator<Item = &'s [u8]>,
        tolerance_seconds: u64,
    ) -> Self {
        let key = |secret| hmac::Key::new(hmac::HMAC_SHA256, secret);
        let secrets = secrets.into_iter().map(key).collect();
        Self { name, provider, secrets, tolerance_seconds }
    }

    /// How far a signed time may be from now, both ways.
    #[must_use]
    pub const fn tolerance_seconds(&self) -> u64 {
        self.tolerance_seconds
    }

    /// Judges all but the signature itself: for this, the body need not be there.
    ///
    /// # Errors
    /// The first fault.
    pub fn check_form(&self, fields: Fields<'_>, now: WallTime) -> Result<(), SignatureFault> {
        self.read(fields, now).map(|_| ())
    }

    /// Verifies a request's signature over its body.
    ///
    /// # Errors
    /// The first fault.
    pub fn verify(
        &self,
        fields: Fields<'_>,
        body: &[u8],
        now: WallTime,
    ) -> Result<(), SignatureFault> {
        let said = self.read(fields, now)?;
        let mut is_sound = false;
        for key in &self.secrets {
            let mut context = hmac::Context::with_key(key);
            match self.provider {
                Provider::GitHub => {}
                Provider::Stripe => {
                    context.update(said.time);
                    context.update(b".");
                }
                Provider::Slack => {
                    context.update(b"v0:");
                    context.update(said.time);
                    context.update(b":");
                }
            }
            context.update(body);
            let tag = context.sign();
            is_sound |= said.signatures.have(tag.as_ref());
        }
        if is_sound { Ok(()) } else { Err(SignatureFault::Wrong) }
    }

    fn read<'r>(&self, fields: Fields<'r>, now: WallTime) -> Result<Said<'r>, SignatureFault> {
        let value = only(fields, self.provider.header_lower(), SignatureFault::Missing)?;
        let one = |prefix: &[u8]| {
            let digits = value.strip_prefix(prefix).ok_or(SignatureFault::Malformed)?;
            hex_digest(digits).map(Signatures::One).ok_or(SignatureFault::Malformed)
        };
        let said = match self.provider {
            Provider::GitHub => Said { time: b"", signatures: one(b"sha256=")? },
            Provider::Slack => {
                let time = only(fields, SLACK_TIME, SignatureFault::NoTime)?;
                Said { time, signatures: one(b"v0=")? }
            }
            Provider::Stripe => stripe(value)?,
        };
        if self.provider.has_time() {
            let time = seconds(said.time).ok_or(SignatureFault::NoTime)?;
            if time.abs_diff(now.seconds()) > self.tolerance_seconds {
                let is_old = time < now.seconds();
                return Err(if is_old { SignatureFault::TooOld } else { SignatureFault::TooNew });
            }
        }
        Ok(said)
    }
}

impl Signatures<'_> {
    /// Whether one of them is this; each is compared in the same time whatever it is.
    fn have(self, expected: &[u8]) -> bool {
        let equals = |found: [u8; DIGEST_BYTES]| {
            aws_lc_rs::constant_time::verify_slices_are_equal(&found, expected).is_ok()
        };
        match self {
            Self::One(found) => equals(found),
            Self::Listed(list) => {
                let found = members(list).filter_map(|(name, value)| {
                    (name == b"v1").then(|| hex_digest(value)).flatten()
                });
                found.fold(false, |is_it, found| is_it | equals(found))
            }
        }
    }
}

/// The only value of a field.
fn only<'r>(
    fields: Fields<'r>,
    name: &'r [u8],
    missing: SignatureFault,
) -> Result<&'r [u8], SignatureFault> {
    let mut values = fields.named(name);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(missing),
        (Some(_), Some(_)) => Err(SignatureFault::Several),
    }
}

/// `t=..,v1=..,v1=..`: one time, one signature or more; other schemes (`v0`) say nothing.
fn stripe(value: &[u8]) -> Result<Said<'_>, SignatureFault> {
    let mut times = members(value).filter(|(name, _)| *name == b"t");
    let (_, time) = times.next().ok_or(SignatureFault::NoTime)?;
    if times.next().is_some() {
        return Err(SignatureFault::Several);
    }
    let mut signatures = members(value).filter(|(name, _)| *name == b"v1");
    if !signatures.any(|(_, value)| hex_digest(value).is_some()) {
        return Err(SignatureFault::Malformed);
    }
    Ok(Said { time, signatures: Signatures::Listed(value) })
}

fn members(list: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    list.split(|&byte| byte == b',').filter_map(|member| {
        let equals = member.iter().position(|&byte| byte == b'=')?;
        Some((member[..equals].trim_ascii(), member[equals + 1..].trim_ascii()))
    })
}

/// Seconds since 1970, of digits only.
fn seconds(text: &[u8]) -> Option<u64> {
    let is_number = (1..=12).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests;
