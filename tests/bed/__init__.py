"""The test bed: network namespaces, a router, the embedded Azure and real software between them. See README.md here.

Only tests and `make lab-shell` use it. It must never touch the network of the machine that it runs on.
"""
