//! The restoration networks in burn: the edge family and the official U-Net.
