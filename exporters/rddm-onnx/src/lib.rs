//! Lowers a burn network to an ONNX file.
