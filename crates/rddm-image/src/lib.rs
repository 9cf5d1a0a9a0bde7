//! Pictures in and out: decoding, encoding, metadata, orientation, limits.
