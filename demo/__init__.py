"""The operator at work, shown on the test cluster: `make demo`."""
