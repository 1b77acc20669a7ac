//! One folder per API Gateway concept, each pure.
