"""Orchestration as generators of events, and the executors that run them."""
