"""The targets, by what their bytes come from. Each module holds a few of them and a tuple TARGETS."""
