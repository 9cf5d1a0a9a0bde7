//! Pulls, verifies and keeps the models of a zoo.
