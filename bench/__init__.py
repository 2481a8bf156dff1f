"""Side-by-side benchmarks of preflight and its peers, in network namespaces of their own. `make bench`; see README.md.

Needs nothing of preflight but its command; it measures whole processes, as a user would start them.
"""
