"""A shell probe for containers that are not ours: what it asks, what comes back, and the observations made of that.

`probe.sh` relays what a container's own tools say (curl, openssl, dig, nslookup, getent, bash, nc, wget); everything is
read here. It sends one request to each target and no credentials; what it could not test is said, never guessed.
"""
