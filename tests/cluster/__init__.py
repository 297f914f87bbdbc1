"""A real Kubernetes cluster behind one entry point: `python -m tests.cluster up|down|status|env|images|selfcheck`.

From Python: `providers.choose()` gives the provider, `provider.up(options)` a `Cluster`.
Everything here needs the standard library alone.
"""
