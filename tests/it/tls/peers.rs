//! Clients that nobody here wrote: curl, openssl, Python.
