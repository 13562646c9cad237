//! Oracles of the fuzz targets.
