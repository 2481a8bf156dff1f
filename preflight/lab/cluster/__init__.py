"""A stand-in Kubernetes cluster for the demo and for tests: API server, controllers, scheduler, kubelets of processes.

It validates nothing, counts no resources and enforces no policy; what needs a real cluster is tested on one.
"""
