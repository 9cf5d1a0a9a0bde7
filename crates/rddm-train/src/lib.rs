//! Trains restoration networks: networks, data sets, degradations, trainer, evaluation.
