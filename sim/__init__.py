"""Co-simulation: the golden model and generated Verilog in lock step."""
