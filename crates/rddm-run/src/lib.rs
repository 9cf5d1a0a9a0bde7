//! The rddm-run command: restores pictures with a model of the zoo.
