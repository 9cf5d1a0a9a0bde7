//! Manifests and the index of a zoo of restoration networks: parsed, digested, signed.
