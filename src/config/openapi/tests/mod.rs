//! Tests of the importer: golden tables, the suite of real documents, arbitrary bytes.

mod fuzz;
mod golden;
mod limits;
mod suite;
