//! The `rddm-export` command: writes trained networks as ONNX files.
