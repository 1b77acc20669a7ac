//! The house rules, enforced.
