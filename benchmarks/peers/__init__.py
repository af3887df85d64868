"""What other orchestrators cost for the same work; `python -m benchmarks.peers` compares them."""
