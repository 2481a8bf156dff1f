"""A stand-in Kubernetes cluster for the demo and for tests: an API server with watches, and a kubelet of processes.

It validates nothing and schedules by labels alone; what needs a real cluster is tested on one.
"""
