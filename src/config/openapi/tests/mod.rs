//! Tests of the importer: golden tables, the suite of real documents, arbitrary bytes.

mod golden;
mod suite;
