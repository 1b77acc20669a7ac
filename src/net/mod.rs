//! Listeners and streams (plain now, TLS later) over the ring.
