"""Attacks on a running livegate: what must not be let in, and must harm nobody else."""
