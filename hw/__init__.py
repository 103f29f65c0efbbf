"""Hardware units in Amaranth, each the twin of a golden unit."""
