//! An API's id when the file gives none: the same name always has the same id.

/// 10 lower-case letters and digits (AWS's shape), made of the name by FNV-1a (64 bits).
pub(super) fn of_name(name: &str) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    let mut hash = name.bytes().fold(0xCBF2_9CE4_8422_2325, mix);
    let mut id = String::new();
    for _ in 0..10 {
        id.push(char::from(DIGITS[(hash % 36) as usize]));
        hash /= 36;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::of_name;

    #[test]
    fn an_id_has_the_shape_of_aws_and_depends_on_the_name_alone() {
        for name in ["", "pets", "é", &"x".repeat(1000)] {
            let id = of_name(name);
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            assert!(id.len() == 10 && id.bytes().all(is_plain), "{id}");
        }
        assert_eq!(of_name("pets"), of_name("pets"));
        assert_ne!(of_name("pets"), of_name("pet"));
    }
}
