//! Documents in, `Plan` out: the gateway file and OpenAPI import; every problem with its place.
