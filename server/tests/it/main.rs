//! Tests that need processes or files of their own.

mod store_torture;
