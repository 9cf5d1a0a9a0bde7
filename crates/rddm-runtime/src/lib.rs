//! Restores pictures: an RDDM sampler around an inference engine.
