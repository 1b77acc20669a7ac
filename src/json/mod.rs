//! simd-json views and JSONPath as AWS uses it.
