"""Real software between the workstation and the stand-ins, one module each; `kit` starts what a scenario needs.

Programs run as children in the bed's namespaces, end with this process however it ends, and are asked for by nobody
while they start: /proc says when they listen.
"""
