"""A real cluster for tests, and the test cluster's firewall and stand-in network where they are there."""
