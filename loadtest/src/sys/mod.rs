//! The only rooms with `unsafe`: the kernel calls that `std` does not have. Everything that they
//! export is safe to call. Not here: anything that knows HTTP or what is being measured.

pub(crate) mod process;
pub(crate) mod uring;
