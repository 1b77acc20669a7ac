//! Every bound of the gateway, in one place, as arithmetic.
//!
//! AWS's quota is the value where AWS has one (`api-gateway.md` 11.3); else the reason is given.

use std::time::Duration;

/// Request line and header fields of a request together (HTTP API quota: 10,240 bytes).
pub const REQUEST_HEAD_BYTES_MAX: usize = 10_240;
/// The request target alone; longer is 414. Fits in the head with room for a Host line.
pub const TARGET_BYTES_MAX: usize = 8_192;
/// Header fields of one head. nginx and HAProxy allow about 100.
pub const HEAD_FIELDS_MAX: usize = 100;
/// Status line and header fields of an upstream's answer.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 32_768;
/// A request's body (HTTP API quota: 10 MB); longer is 413.
pub const REQUEST_BODY_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// A PROXY header: one small block. Senders' are below 700 bytes, and of some 3,000 with a client's
/// certificate in them.
pub const PROXY_HEADER_BYTES_MAX: usize = SMALL_BLOCK_BYTES;
/// Trailer fields of one chunked body, all together.
pub const TRAILER_BYTES_MAX: usize = 8_192;
/// One chunk-size line with its extensions.
pub const CHUNK_LINE_BYTES_MAX: usize = 256;
/// What a rule that reads the body may hold of it (AWS cuts JSON path at 100 KB).
pub const BODY_READ_BYTES_MAX: usize = 100 * 1024;
/// How deep a JSON body that a rule reads may be nested.
pub const JSON_DEPTH_MAX: usize = 128;
/// Entries of one parameter mapping, requests or one status.
pub const MAPPING_ENTRIES_MAX: usize = 300;
/// Origins that one API's CORS lists; beyond, `https://*` says what is meant.
pub const CORS_ORIGINS_MAX: usize = 1_000;
/// One of them: a scheme, a host of 253 bytes and a port.
pub const CORS_ORIGIN_BYTES_MAX: usize = 300;
/// Methods and names in one list of CORS. As many as there are fields in a head.
pub const CORS_NAMES_MAX: usize = HEAD_FIELDS_MAX;
/// One of these names: a list then fits into what peers take for a head.
pub const CORS_NAME_BYTES_MAX: usize = 64;
/// One value that a mapping makes; longer is not set. It has to fit in a head.
pub const MAPPED_VALUE_BYTES_MAX: usize = 8_192;
/// Interim (1xx) answers of an upstream before the final one.
pub const INTERIM_RESPONSES_MAX: usize = 8;

/// A receive buffer for heads and small bodies.
pub const SMALL_BLOCK_BYTES: usize = 4_096;
/// Small blocks of one shard: 64 MiB when all are in use. A head that does not end keeps one, so
/// as many clients have to be slow at once before others wait.
pub const SMALL_BLOCKS_MAX: usize = 16_384;
/// A receive buffer for streaming bodies and for heads that do not fit a small one.
pub const LARGE_BLOCK_BYTES: usize = 65_536;
/// Large blocks of one shard: 64 MiB when all are in use. Bodies of 1 MiB to 64 clients at once
/// take 600 of them; when they are scarce, such a body costs half as much again.
pub const LARGE_BLOCKS_MAX: usize = 1_024;

/// Blocks that a socket may have received and not yet handed on, in bytes, before its receive is
/// cancelled. When fewer than half of the blocks are left, a socket receives one block at a time;
/// when fewer than an eighth of the large ones are, small ones.
pub const RECEIVE_QUEUE_BYTES_MAX: usize = 4 * LARGE_BLOCK_BYTES;
/// The same for a client's small blocks that nobody waits for: requests that come while one is
/// answered. One byte takes a block, so the first piece reaches this: with the block of its head
/// such a client holds two, however small its pieces.
pub const UNAWAITED_BYTES_MAX: usize = SMALL_BLOCK_BYTES;
/// The same for a body that streams, when it is received into small blocks for want of large ones.
pub const UNAWAITED_BODY_BYTES_MAX: usize = 4 * SMALL_BLOCK_BYTES;
/// Received pieces no longer than this are copied behind one that nobody has taken yet, if they fit
/// into its block.
pub const RECEIVE_COPY_BYTES_MAX: usize = 2_048;
/// Buffers in one gathered send.
pub const SEND_PIECES_MAX: usize = 16;
/// Pieces of a send that are together no longer than this are copied behind its text: cheaper
/// than having the kernel gather them.
pub const SEND_COPY_BYTES_MAX: usize = 2_048;
/// A block to join a TLS record in that came in two pieces: a record is at most 16,645 bytes.
pub const JOINT_BLOCK_BYTES: usize = 16_896;
/// Such blocks of one shard: 132 MiB when all are in use. A record that does not end keeps one till
/// others want it; what a client pipelines behind a slow answer keeps one until that is over.
pub const JOINT_BLOCKS_MAX: usize = 8_192;
/// A TLS message after the handshake: a ticket may have 64 KiB, and none is near that.
pub const TLS_MESSAGE_BYTES_MAX: usize = 16 * 1_024;
/// TLS records without data between two with some: they cost work and bring nothing.
pub const TLS_QUIET_MAX: u32 = 32;
/// What an upstream may send of a handshake before rustls has done with it: a message has at most
/// 64 KiB, and comes in records.
pub const TLS_HANDSHAKE_BYTES_MAX: usize = 96 * 1_024;
/// The same for a client, which may be anybody: its first message has some 2 KB (6 KB with several
/// post-quantum keys), its chain of at most four certificates as much.
pub const TLS_CLIENT_HANDSHAKE_BYTES_MAX: usize = 32 * 1_024;
/// A handshake must be over in this time.
pub const TLS_HANDSHAKE_WAIT: Duration = Duration::from_secs(10);
/// Handshakes of one shard at the same time: measured 14 KB each, 57 MB when all are under way
/// (some 240 MB when all of them say as much as they may). The oldest makes room for the next. A
/// burst of clients that connect at once has to fit.
pub const TLS_HANDSHAKES_MAX: usize = 4_096;

/// Connections of one shard, clients and upstreams together.
pub const SOCKETS_MAX: usize = 1 << 20;
/// Listeners of one shard.
pub const LISTENERS_MAX: usize = 64;
/// Connections that were accepted and that no task has taken yet; then accepting pauses.
pub const ACCEPT_QUEUE_MAX: usize = 1_024;
/// Descriptors that clients may never take, where the limit allows it.
pub const DESCRIPTORS_RESERVED: u64 = 1_024;
/// Idle upstream connections kept per upstream and shard.
pub const UPSTREAM_IDLE_MAX: usize = 256;
/// Upstream connections per upstream and shard, idle or not.
pub const UPSTREAM_CONNECTIONS_MAX: usize = 4_096;
/// Messages in a shard's mailbox.
pub const MAILBOX_MESSAGES_MAX: usize = 1_024;

/// HTTP/2: streams of one connection that a client may have open.
pub const HTTP2_STREAMS_MAX: u32 = 128;
/// HTTP/2: bytes of one stream that the peer may send ahead of who reads them.
pub const HTTP2_STREAM_WINDOW_BYTES: u32 = 128 * 1024;
/// HTTP/2: the same of one connection, over all its streams: what it can make us hold.
pub const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// HTTP/2: the same of a connection to an upstream, which many clients share: all its streams may
/// be full of what their clients do not take, and the next one still has its window. 16 MiB.
pub const HTTP2_UPSTREAM_WINDOW_BYTES: u32 = HTTP2_STREAMS_MAX * HTTP2_STREAM_WINDOW_BYTES;
/// HTTP/2: connections of one shard to one upstream; requests wait for room on them.
pub const HTTP2_UPSTREAM_CONNECTIONS_MAX: usize = 16;
/// HTTP/2: bytes of one stream that wait for the peer's windows, or for the socket.
pub const HTTP2_SEND_BYTES_MAX: usize = 64 * 1024;
/// HTTP/2: what DATA frames of less than 256 bytes lack to that, over all that nobody has read yet:
/// 8,000 frames of one byte, which cost h2 about as much. One receive brings at most 6,500.
pub const HTTP2_TINY_DATA_BYTES_MAX: usize = 2 * 1024 * 1024;
/// HTTP/2: what the answers of one connection may keep of receive blocks, in bytes, until the
/// client takes them: as two connections of HTTP/1.1. Its streams wait for one another then.
pub const HTTP2_HELD_BYTES_MAX: usize = 1024 * 1024;
/// HTTP/2: what one answer takes from its upstream at a time.
pub const HTTP2_PIECES_BYTES_MAX: usize = LARGE_BLOCK_BYTES;
/// HTTP/2: frames gathered in one send.
pub const HTTP2_GATHERED_BYTES_MAX: usize = 128 * 1024;
/// HTTP/2: a head's fields, decoded, with 32 bytes more for each (RFC 9113 6.5.2). Above our own
/// bound of a head, so that its refusal is the gateway's.
pub const HTTP2_HEAD_LIST_BYTES_MAX: u32 = 64 * 1024;
/// HTTP/2: answers of one connection that may be given up because the peer took nothing of them
/// for `SEND_WAIT`; one more ends it.
pub const HTTP2_STALLS_MAX: u32 = 8;
/// HTTP/2: frames of one kind that a connection may send at once, and how many more each second:
/// see `net::http2::watch` for what earns more.
pub const HTTP2_RESETS: Allowance = Allowance::new(200, 20);
/// Streams that the peer's faults made us reset.
pub const HTTP2_FAULTS: Allowance = Allowance::new(100, 1);
/// CONTINUATION frames of one head without its last: what h2 takes for a list of
/// `HTTP2_HEAD_LIST_BYTES_MAX` in frames of 16 KiB.
pub const HTTP2_CONTINUATIONS_MAX: u32 = 5;
/// PING.
pub const HTTP2_PINGS: Allowance = Allowance::new(200, 20);
/// SETTINGS.
pub const HTTP2_SETTINGS: Allowance = Allowance::new(50, 1);
/// DATA without data.
pub const HTTP2_EMPTY_DATA: Allowance = Allowance::new(100, 1);
/// WINDOW_UPDATE.
pub const HTTP2_WINDOW_UPDATES: Allowance = Allowance::new(2_000, 100);
/// PRIORITY.
pub const HTTP2_PRIORITIES: Allowance = Allowance::new(200, 20);
/// Frames of unknown types.
pub const HTTP2_UNKNOWN: Allowance = Allowance::new(200, 20);
/// Heads larger than `HTTP2_HEAD_LIST_BYTES_MAX`.
pub const HTTP2_HEADER_BOMBS: Allowance = Allowance::new(20, 1);

/// How much of something is taken: this much at once, and this much more each second.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// At once.
    pub burst: u32,
    /// Each second.
    pub per_second: u32,
}

impl Allowance {
    const fn new(burst: u32, per_second: u32) -> Self {
        Self { burst, per_second }
    }
}

/// Accounts of throttles and concurrency limits, of all shards together: about 100 bytes each, 210
/// MB when full. Beyond them, callers who have none share one under each limit.
pub const LEDGER_ACCOUNTS_MAX: usize = 1 << 21;
/// Parts of the ledger that have a lock each.
pub const LEDGER_PARTITIONS: usize = 1_024;
/// Leases of one shard; accounts beyond them are asked for in the ledger each time.
pub const LEASES_MAX: usize = 65_536;
/// Accounts of quotas: one for each key in each usage plan. 128 bytes each, 256 MB when full.
pub const QUOTA_ACCOUNTS_MAX: usize = 1 << 21;
/// Parts of them that have a lock each.
pub const QUOTA_PARTITIONS: usize = 256;
/// Wishes for reservations that wait for the journal; more are made again at the next request.
pub const QUOTA_ASKS_MAX: usize = 4_096;
/// Records of the quotas' journal that are written together.
pub const JOURNAL_BATCH_RECORDS_MAX: usize = 1_024;
/// The journal is written anew when it is this much longer than when it was written anew last, and
/// twice as long.
pub const JOURNAL_GROWTH_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// What the private port wants of the keeper and was not done yet.
pub const KEEPER_ERRANDS_MAX: usize = 256;
/// Days that usage is told of.
pub const USAGE_DAYS_KEPT: u32 = 90;
/// Stages that one shard counts apart, over all reloads: 2 x 10,752 bytes each, 22 MB when full.
pub const STAGE_SERIES_MAX: usize = 1_024;
/// Routes that one shard counts apart, over all reloads: 48 bytes each, 3 MB when full.
pub const ROUTE_SERIES_MAX: usize = 65_536;
/// Limits that are counted by name when they refuse.
pub const LIMIT_SERIES_MAX: usize = 4_096;
/// A chunk of access-log lines on its way to the writer.
pub const LOG_CHUNK_BYTES: usize = 131_072;
/// Full chunks that wait for the writer, over all shards: 4 MiB. More are dropped and counted.
pub const LOG_CHUNKS_MAX: usize = 32;
/// A chunk that is not full goes to the writer after this long.
pub const LOG_CHUNK_WAIT: Duration = Duration::from_millis(200);
/// The operator is told of a failing access log at most this often.
pub const LOG_COMPLAINT_WAIT: Duration = Duration::from_secs(10);
/// The private port: connections open at once; more are closed.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
/// The private port: a request's body. AWS's clients send patches of some hundred bytes.
pub const ADMIN_BODY_BYTES_MAX: usize = 16 * 1024;
/// The private port: items of one list of keys, plans or usage (AWS's bound).
pub const USAGE_PAGE_MAX: usize = 500;
/// The private port: limits that one answer tells of: all of Ringway's own, those of a key with ten
/// plans of one stage each, and of routes as many as fit. Some 300 KB with 8 shards.
pub const LIMITS_TOLD_MAX: usize = 512;
/// The private port: a request must be complete, and an answer taken, in this time.
pub const ADMIN_WAIT: Duration = Duration::from_secs(10);
/// A shard that does not send its numbers in this time is reported as missing.
pub const STATISTICS_WAIT: Duration = Duration::from_secs(1);

/// A PROXY header must arrive in this time (the specification asks for at least 3 s).
pub const PROXY_HEADER_WAIT: Duration = Duration::from_secs(5);
/// A client's whole head must arrive in this time after its first byte.
pub const HEAD_WAIT: Duration = Duration::from_secs(10);
/// A client's body must make progress at least this often.
pub const BODY_WAIT: Duration = Duration::from_secs(30);
/// And be this fast after the first `BODY_WAIT`, the time counted in which the client is waited
/// for: a body that trickles holds an upstream connection.
pub const BODY_BYTES_PER_SECOND_MIN: u64 = 500;
/// A client must take some of the answer at least this often.
pub const SEND_WAIT: Duration = Duration::from_secs(30);
/// A keep-alive connection may be idle for this long.
pub const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(75);
/// An idle upstream connection is closed after this long.
pub const UPSTREAM_IDLE_WAIT: Duration = Duration::from_secs(55);
/// A connection to an upstream must be made in this time.
pub const CONNECT_WAIT: Duration = Duration::from_secs(3);
/// A request waits this long for the journal of quotas; then it is counted in memory only.
pub const RESERVATION_WAIT: Duration = Duration::from_secs(2);
/// Out of descriptors: how long until an upstream is tried again.
pub const DESCRIPTOR_WAIT: Duration = Duration::from_millis(10);
/// Out of descriptors: accepting rests this long.
pub const ACCEPT_RETRY_WAIT: Duration = Duration::from_millis(100);
/// What is in flight at SIGTERM may take this long to finish.
pub const DRAIN_WAIT: Duration = Duration::from_secs(30);
/// Of which an idle connection may use this much for one more request, answered with
/// `connection: close`.
pub const DRAIN_IDLE_WAIT: Duration = Duration::from_secs(1);
/// A tunnel on which no byte moves for this long is closed (WebSocket API idle quota: 10 minutes).
pub const TUNNEL_IDLE_WAIT: Duration = Duration::from_secs(600);
/// After a refusal: how long the client's unread bytes are taken and dropped before closing.
pub const LINGER_WAIT: Duration = Duration::from_secs(2);
/// And how many of them.
pub const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// A configuration document's text (quota of AWS's import).
pub const DOCUMENT_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Mappings and sequences inside one another; walkers of a document may recurse this deep.
pub const DOCUMENT_DEPTH_MAX: usize = 100;
/// Values of one document with its aliases followed. 6 MB of real documents hold about 300,000.
pub const DOCUMENT_NODES_MAX: usize = 500_000;
/// One text of an OpenAPI document that decides something (a URI, a mapping) with its functions
/// resolved. AWS takes a URI of 2,048.
pub const OPENAPI_TEXT_BYTES_MAX: usize = 16 * 1024;
/// Routes of one API: ten times AWS's quota.
pub const ROUTES_MAX: usize = 10 * ROUTES_QUOTA;
/// AWS's quota of routes of one HTTP API; more are served, with a warning.
pub const ROUTES_QUOTA: usize = 300;
/// Custom domain names of one gateway. AWS's quota is 120 of one account.
pub const DOMAIN_NAMES_MAX: usize = 10_000;
/// API mappings of one domain: ten times AWS's quota of those with several segments.
pub const API_MAPPINGS_MAX: usize = 10 * API_MAPPINGS_QUOTA;
/// AWS's quota of mappings with several segments; more are served, with a warning.
pub const API_MAPPINGS_QUOTA: usize = 200;
/// The key of an API mapping, and a base path of a routing rule.
pub const API_MAPPING_KEY_BYTES_MAX: usize = 300;
/// Routing rules of one domain, asked one after the other: ten times AWS's quota.
pub const ROUTING_RULES_MAX: usize = 10 * ROUTING_RULES_QUOTA;
/// AWS's quota of routing rules of one domain; more are served, with a warning.
pub const ROUTING_RULES_QUOTA: usize = 50;
/// The highest number that a routing rule's priority may be.
pub const ROUTING_RULE_PRIORITY_MAX: u32 = 1_000_000;
/// Entries of one `anyOf` of a routing rule.
pub const ANY_OF_MAX: usize = 20;
/// The id of a routing rule.
pub const ROUTING_RULE_ID_BYTES_MAX: usize = 64;
/// The header name of a routing rule's condition.
pub const MATCH_HEADER_BYTES_MAX: usize = 40;
/// And its glob.
pub const VALUE_GLOB_BYTES_MAX: usize = 128;
/// Keys and values of all mappings of one integration; every route that shares it has its own.
pub const MAPPING_BYTES_OF_INTEGRATION_MAX: usize = 64 * 1024;
/// Names of one folder of certificates.
pub const FOLDER_NAMES_MAX: usize = 20_000;
/// A trust store's text: AWS's quota.
pub const TRUST_STORE_BYTES_MAX: usize = 1_000_000;
/// And the certificates in it.
pub const TRUST_STORE_CERTIFICATES_MAX: usize = 1_000;
/// API keys of one gateway, some 150 bytes each with its names. AWS's quota is 10,000 of one
/// account.
pub const API_KEYS_MAX: usize = 1 << 20;
/// An API key's value, at least.
pub const API_KEY_VALUE_BYTES_MIN: usize = 20;
/// And at most.
pub const API_KEY_VALUE_BYTES_MAX: usize = 128;
/// A name or id of a key or a usage plan, in characters.
pub const API_KEY_NAME_MAX: usize = 1_024;
/// A file of API keys: 250 bytes for each that there may be.
pub const API_KEY_FILE_BYTES_MAX: usize = 250 * API_KEYS_MAX;
/// Files of API keys.
pub const API_KEY_FILES_MAX: usize = 100;
/// A token (JWT): longer ones are refused unread. A request's head has 10 KB.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// The id of a key (`kid`), in a token or a set.
pub const KEY_ID_BYTES_MAX: usize = 256;
/// A set of public keys (AWS's bound of what an issuer answers).
pub const KEY_SET_BYTES_MAX: usize = 150_000;
/// Keys of one set that are used: issuers have two to ten.
pub const KEY_SET_KEYS_MAX: usize = 100;
/// A request to an issuer: connecting, asking, the whole answer (AWS's bound).
pub const KEY_FETCH_WAIT: Duration = Duration::from_millis(1_500);
/// A request waits this long for a key that its issuer may have and we do not.
pub const KEYS_WAIT: Duration = Duration::from_millis(1_500);
/// An unknown key has an issuer asked at most this often.
pub const KEY_REFRESH_WAIT: Duration = Duration::from_secs(30);
/// Keys are fetched anew after this long at least, whatever their issuer says,
pub const KEY_LIFETIME_MIN: Duration = Duration::from_secs(300);
/// and at most (AWS's bound).
pub const KEY_LIFETIME_MAX: Duration = Duration::from_secs(7_200);
/// What shards want of the thread that fetches keys; more is asked for again later.
pub const KEY_WISHES_MAX: usize = 1_024;
/// Audiences of an authorizer (AWS's quota).
pub const AUDIENCES_MAX: usize = 50;
/// Scopes that a route names (AWS's quota).
pub const ROUTE_SCOPES_MAX: usize = 10;
/// An `identityValidationExpression`, in bytes.
pub const VALIDATION_EXPRESSION_BYTES_MAX: usize = 256;
/// User pools that one authorizer takes tokens of.
pub const AUTHORIZER_POOLS_MAX: usize = 64;
/// User pools that a gateway file names.
pub const USER_POOLS_MAX: usize = 1_000;
/// Signatures of new tokens are verified for so long in one turn of a shard; the rest waits for the
/// next one, and whatever else came meanwhile goes between.
pub const VERIFICATION_TURN: Duration = Duration::from_micros(200);
/// Requests that wait for that on one shard; more get 503.
pub const VERIFICATIONS_WAITING_MAX: usize = 4_096;
/// Keys of which a shard knows what their signatures take here; beyond them it begins anew.
pub const VERIFICATION_COSTS_MAX: usize = 1_024;
/// A signature that takes longer by itself is verified by another thread. One between that and a
/// turn's budget has a turn to itself: handing it over costs other clients more on a busy core.
pub const VERIFICATION_LONG: Duration = Duration::from_micros(500);
/// Signatures that take longer than that, which one shard has asked another thread
/// about and not heard of; more get 503.
pub const SIGNATURES_ASKED_MAX: usize = 1_024;
/// Of which the clients of one address have at most this many; an eighth, when half are taken.
pub const SIGNATURES_OF_ADDRESS_MAX: usize = 512;
/// Requests of one address on one shard that wait for such signatures.
pub const SIGNATURE_WAITERS_MAX: usize = 4_096;
/// A request waits this long for one.
pub const SIGNATURE_WAIT: Duration = Duration::from_secs(10);
/// Tokens of one shard that were verified and are not verified again: some 3 KB each, the token and
/// its claims, 12 MB when full (96 MB when all are as long as they may be).
pub const VERIFIED_TOKENS_MAX: usize = 4_096;
/// AWS's quota of characters of a resource policy, blanks aside; more are taken, with a warning.
pub const POLICY_CHARACTERS_QUOTA: usize = 8_192;
/// And at most: a thousand statements of some length.
pub const POLICY_CHARACTERS_MAX: usize = 64 * POLICY_CHARACTERS_QUOTA;
/// Statements of one policy. AWS's bound of characters allows some 100; 20 ns each.
pub const POLICY_STATEMENTS_MAX: usize = 2_000;
/// Variables in one text of a policy.
pub const POLICY_VARIABLES_MAX: usize = 8;
/// What a `?` or a variable may stand in between two stars, and a variable's value: such a part is
/// tried at each place of a path.
pub const POLICY_PART_BYTES_MAX: usize = 256;
/// What is told of one policy.
pub const POLICY_NOTES_MAX: usize = 100;
/// Usage plans of one gateway: ten times AWS's quota.
pub const USAGE_PLANS_MAX: usize = 10 * USAGE_PLANS_QUOTA;
/// AWS's quota of usage plans of one account; more are taken, with a warning.
pub const USAGE_PLANS_QUOTA: usize = 300;
/// Usage plans that one key may be in (AWS's quota).
pub const PLANS_OF_KEY_MAX: usize = 10;
/// Throttles of methods in one stage of a usage plan (AWS's quota).
pub const METHOD_THROTTLES_MAX: usize = 20;
/// Ringway's own limits of one gateway: one request may have to ask all of them.
pub const OWN_LIMITS_MAX: usize = 60;
/// The ARN that policies are asked about; AWS refuses longer ones with 414 too.
pub const METHOD_ARN_BYTES_MAX: usize = 1_600;
/// What a refusal shows of the request that should have been signed.
pub const SIGNED_TEXT_BYTES_MAX: usize = 16 * 1024;
/// Access keys of one gateway.
pub const ACCESS_KEYS_MAX: usize = 100_000;
/// Principals of one gateway.
pub const PRINCIPALS_MAX: usize = 100_000;
/// Files of principals that a gateway file names.
pub const PRINCIPAL_FILES_MAX: usize = 100;
/// Policies of one principal: AWS takes ten managed ones, and as many again when asked.
pub const PRINCIPAL_POLICIES_MAX: usize = 20;
/// Tags of one principal (AWS's quota).
pub const PRINCIPAL_TAGS_MAX: usize = 50;
/// Files of secrets and policies that principals name: each is read at every load.
pub const PRINCIPALS_FILES_NAMED_MAX: usize = 10_000;
/// A secret access key; AWS's have 40.
pub const SECRET_ACCESS_KEY_BYTES_MAX: usize = 1024;
/// A session token: a head has to have room for it.
pub const SESSION_TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Bytes of bodies that a shard holds at a time until their signatures are judged.
pub const UNJUDGED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Entries of the routes of one of them: as many as AWS has routes in an API.
pub const LIMIT_ROUTES_MAX: usize = ROUTES_QUOTA;
/// User, colon and password of basic authentication. A multiple of three, as base64 has it.
pub const BASIC_BYTES_MAX: usize = 510;
/// Users of one basic authorizer.
pub const BASIC_USERS_MAX: usize = 100_000;
/// A file of users: 200 bytes for each that there may be.
pub const BASIC_FILE_BYTES_MAX: usize = 200 * BASIC_USERS_MAX;
/// bcrypt's cost, at most: 15 takes some 2 s.
pub const BCRYPT_COST_MAX: u32 = 15;
/// Argon2id's memory, at most, in KiB: one password is hashed at a time.
pub const ARGON2_KIB_MAX: u32 = 256 * 1024;
/// And its passes over it.
pub const ARGON2_PASSES_MAX: u32 = 16;
/// Passwords that one shard has asked about and not heard of.
pub const PASSWORDS_ASKED_MAX: usize = 64;
/// Of which the clients of one address have at most this many; one, when half are taken.
pub const PASSWORDS_OF_ADDRESS_MAX: usize = 4;
/// Requests of one address on one shard that wait for a password to be hashed.
pub const PASSWORD_WAITERS_MAX: usize = 64;
/// A request waits this long for its password to be hashed.
pub const PASSWORD_WAIT: Duration = Duration::from_secs(10);
/// Credentials of one shard that were verified and are not hashed again: 48 bytes each.
pub const VERIFIED_PASSWORDS_MAX: usize = 4_096;
/// For this long.
pub const VERIFIED_PASSWORD_WAIT: Duration = Duration::from_secs(300);
/// A webhook's body, which is read whole before its signature is known to be sound.
pub const WEBHOOK_BODY_BYTES_MAX: usize = 1024 * 1024;
/// A secret of webhooks.
pub const WEBHOOK_SECRET_BYTES_MAX: usize = 4_096;
/// Secrets of one authorizer: each is tried for every request.
pub const WEBHOOK_SECRETS_MAX: usize = 10;
/// Networks of all IP rules together: 8 bytes each of IPv4, 32 of IPv6.
pub const IP_NETWORKS_MAX: usize = 1_000_000;
/// A file of networks: 64 bytes for each that there may be.
pub const IP_FILE_BYTES_MAX: usize = 64 * IP_NETWORKS_MAX;
/// IP rules of one gateway: one request may have to ask all of them.
pub const IP_RULES_MAX: usize = 64;
/// How often shards and ledger agree on what was spent.
pub const RECONCILIATION_WAIT: Duration = Duration::from_millis(50);
/// Problems of one severity that are kept to be told; more are counted.
pub const PROBLEMS_MAX: usize = 200;

const _: () =
    assert!(OWN_LIMITS_MAX + PLANS_OF_KEY_MAX * (METHOD_THROTTLES_MAX + 1) + 1 < LIMITS_TOLD_MAX);
const _: () = assert!(REQUEST_HEAD_BYTES_MAX <= LARGE_BLOCK_BYTES);
const _: () = assert!(JOINT_BLOCK_BYTES >= 16_384 + 256 + 5);
// As many clients may pipeline behind slow answers, and most blocks are left to the others.
const _: () =
    assert!(5_000 * (SMALL_BLOCK_BYTES + UNAWAITED_BYTES_MAX) < SMALL_SHELF_BYTES * 2 / 3);
const _: () = assert!(5_000 < JOINT_BLOCKS_MAX * 2 / 3);
const SMALL_SHELF_BYTES: usize = SMALL_BLOCKS_MAX * SMALL_BLOCK_BYTES;
const _: () = assert!(RESPONSE_HEAD_BYTES_MAX <= LARGE_BLOCK_BYTES);
// Header fields are kept as 16-bit offsets into the head.
const _: () = assert!(LARGE_BLOCK_BYTES <= u16::MAX as usize + 1);
const _: () = assert!(RESPONSE_HEAD_BYTES_MAX < u16::MAX as usize);
// Places in a document are 32-bit byte offsets.
const _: () = assert!(DOCUMENT_BYTES_MAX < u32::MAX as usize);
const _: () = assert!(TARGET_BYTES_MAX < REQUEST_HEAD_BYTES_MAX);
