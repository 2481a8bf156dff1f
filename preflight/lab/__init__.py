"""The embedded Azure: stand-in servers and fault injection for `preflight demo` and the tests."""
