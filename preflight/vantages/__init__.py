"""One module per place a run can speak from. All of them run the same plan with the same probes."""
