"""The cluster's API: a thin adapter over `kubernetes.aio`, and pure values about objects, pools and pods.

The only package that imports `kubernetes`, and only when a client is opened (0.6 s). Objects are plain JSON values, so
that no version of the API needs a version of the library.
"""
