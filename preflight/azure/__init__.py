"""Azure Resource Manager: sign-in, one request at a time, and commands in a cluster that only Azure reaches.

The only package that imports `azure`, and only when it signs in. Requests are REST over preflight's own connections, so
that resolver, proxy and authorities of the environment hold for them too. Tokens are never recorded.
"""
