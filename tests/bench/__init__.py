"""What livegate costs beside other ways to carry the same traffic: `make bench`."""
