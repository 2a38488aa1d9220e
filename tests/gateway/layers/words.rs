//! The words of the field, and those that it does not know.
