"""The running operator: Kopf's events wake keys, a pool of reconcilers works them off."""
