//! glommio executors pinned to cores, clock, sleep, mailboxes between shards.
