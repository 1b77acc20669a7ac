//! A word to the processor, not to the kernel: what will be read soon.

/// Has the processor fetch the beginning of a thing into its caches while other work goes on. A
/// hint: nothing happens where the processor has no such instruction.
pub fn prefetch<T>(thing: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction reads nothing that can be seen and faults at no address; this one
        // is even a reference's. x86-64 has it always.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(thing).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = thing;
}
