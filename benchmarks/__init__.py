"""What httpio costs, beside its peers and beside bare sockets: ``python -m benchmarks``."""
