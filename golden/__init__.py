"""Bit-accurate integer model of every unit, and its training; needs no simulator."""
