//! Text put together without `fmt`.

/// Appends pieces of bytes to a `Vec<u8>`, one behind the other: `append!(out, b"a: ", value)`. A
/// macro, because only then does the compiler see the length of each constant piece: a store or
/// two instead of a call.
#[macro_export]
macro_rules! append {
    ($out:expr, $($piece:expr),+ $(,)?) => {
        $($out.extend_from_slice($piece);)+
    };
}

pub use append;
