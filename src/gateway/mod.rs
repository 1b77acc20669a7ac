//! The story of a request, top to bottom; connection loops; forwarding.
