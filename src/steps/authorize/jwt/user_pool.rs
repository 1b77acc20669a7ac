//! The ARN of a Cognito user pool, and where AWS has the pool: its issuer's address.

/// `arn:aws:cognito-idp:{region}:{account}:userpool/{poolId}`, checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolArn {
    text: String,
    issuer: String,
}

/// Each partition of AWS, and how the names of its hosts end.
const PARTITIONS: [(&str, &str); 3] =
    [("aws", "amazonaws.com"), ("aws-us-gov", "amazonaws.com"), ("aws-cn", "amazonaws.com.cn")];
/// AWS's bound.
const POOL_ID_BYTES_MAX: usize = 55;

impl PoolArn {
    /// Reads one.
    ///
    /// # Errors
    /// Half a sentence that begins with a verb.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        let [arn, partition, service, region, account, resource] = std::array::from_fn(|_| next());
        if arn != "arn" || service != "cognito-idp" {
            return Err("is no ARN of a user pool".to_owned());
        }
        let known = PARTITIONS.iter().find(|(name, _)| *name == partition);
        let (_, suffix) = known.ok_or_else(|| {
            let names = PARTITIONS.map(|(name, _)| name).join(", ");
            format!("has a partition that is none of {names}")
        })?;
        let is_region =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if region.is_empty() || region.len() > 32 || !region.bytes().all(is_region) {
            return Err("has no region".to_owned());
        }
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("has no account of 12 digits".to_owned());
        }
        let pool = resource.strip_prefix("userpool/").ok_or("names no userpool/..")?;
        let of_region = pool.strip_prefix(region).and_then(|rest| rest.strip_prefix('_'));
        let name =
            of_region.ok_or_else(|| format!("has a pool id that does not begin with {region}_"))?;
        let is_sound = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if name.is_empty() || !is_sound || pool.len() > POOL_ID_BYTES_MAX {
            return Err("has a pool id with other characters than letters and digits".to_owned());
        }
        let issuer = format!("https://cognito-idp.{region}.{suffix}/{pool}");
        Ok(Self { text: text.to_owned(), issuer })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What AWS has in `iss` of the pool's tokens, and where its keys are.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

#[cfg(test)]
mod tests {
    use super::PoolArn;

    #[test]
    fn a_pool_has_its_issuer() {
        let issuer = |text: &str| PoolArn::parse(text).map(|arn| arn.issuer().to_owned());
        let check = |text: &str, expected: &str| assert_eq!(issuer(text), Ok(expected.to_owned()));
        check(
            "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_aB3",
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aB3",
        );
        check(
            "arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/cn-north-1_a",
            "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_a",
        );
    }

    #[test]
    fn what_is_no_arn_of_a_pool_is_told() {
        let check = |text: &str, expected: &str| {
            assert_eq!(PoolArn::parse(text).map(|_| ()), Err(expected.to_owned()), "{text}");
        };
        for text in ["", "arn", "pool", "arn:aws:iam::123456789012:user/a"] {
            check(text, "is no ARN of a user pool");
        }
        let partition = "has a partition that is none of aws, aws-us-gov, aws-cn";
        check("arn:as:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_a", partition);
        check("arn:aws:cognito-idp::123456789012:userpool/_a", "has no region");
        check("arn:aws:cognito-idp:a/b:123456789012:userpool/a/b_a", "has no region");
        let account = "has no account of 12 digits";
        check("arn:aws:cognito-idp:eu-west-1:12345678901:userpool/eu-west-1_a", account);
        let no_pool = "names no userpool/..";
        check("arn:aws:cognito-idp:eu-west-1:123456789012:identitypool/x", no_pool);
        let other = "has a pool id that does not begin with eu-west-1_";
        check("arn:aws:cognito-idp:eu-west-1:123456789012:userpool/us-east-1_a", other);
        let odd = "has a pool id with other characters than letters and digits";
        for id in ["", "a/b", "a.b", "../x", &"a".repeat(46)] {
            check(
                &format!("arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_{id}"),
                odd,
            );
        }
    }
}
