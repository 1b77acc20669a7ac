//! User and password out of `Authorization: Basic ..`, read strictly: what two readers could read
//! in two ways is refused.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    base::limits::BASIC_BYTES_MAX,
    http::{Fields, Name},
    steps::reject::BasicFault,
};

/// User and password as the client sent them.
pub struct Credentials {
    text: [u8; BASIC_BYTES_MAX],
    colon: usize,
    end: usize,
}

impl Drop for Credentials {
    fn drop(&mut self) {
        self.text.fill(0);
    }
}

/// Finds and reads the credentials of a request. Allocates nothing.
///
/// # Errors
/// There are none, or they are not as RFC 7617 has them.
pub fn find(fields: Fields<'_>) -> Result<Credentials, BasicFault> {
    let mut values = fields.all(Name::Authorization);
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(BasicFault::Missing),
        (Some(value), None) => value,
        (Some(_), Some(_)) => return Err(BasicFault::Several),
    };
    Credentials::parse(value)
}

impl Credentials {
    /// Reads a field's value: the scheme in any case, one space or more, base64 in its one form.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(value: &[u8]) -> Result<Self, BasicFault> {
        const SCHEME: &[u8] = b"basic";
        let (scheme, rest) = value.split_at_checked(SCHEME.len()).ok_or(BasicFault::OtherScheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) || rest.first().is_some_and(|byte| *byte != b' ') {
            return Err(BasicFault::OtherScheme);
        }
        let encoded = rest.trim_ascii();
        if encoded.len() > BASIC_BYTES_MAX / 3 * 4 {
            return Err(BasicFault::TooLong);
        }
        let mut read = Self { text: [0; BASIC_BYTES_MAX], colon: 0, end: 0 };
        let decoded = STANDARD.decode_slice(encoded, &mut read.text);
        read.end = decoded.map_err(|_| BasicFault::NotBase64)?;
        let text = str::from_utf8(&read.text[..read.end]).map_err(|_| BasicFault::NotUtf8)?;
        if text.contains(char::is_control) {
            return Err(BasicFault::Control);
        }
        read.colon = text.find(':').ok_or(BasicFault::NoColon)?;
        if read.colon == 0 { Err(BasicFault::NoUser) } else { Ok(read) }
    }

    /// What stands before the first colon.
    #[must_use]
    pub fn user(&self) -> &str {
        str::from_utf8(&self.text[..self.colon]).unwrap_or_default()
    }

    /// What stands behind it.
    #[must_use]
    pub fn password(&self) -> &[u8] {
        &self.text[self.colon + 1..self.end]
    }
}
