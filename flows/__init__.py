"""What a user runs: the command line, synthesis, reports, benchmarks."""
