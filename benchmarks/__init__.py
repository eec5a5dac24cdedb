"""Benchmarks: the client alone against a canned stub, and the pair on a real engine."""
