class ClusterError(Exception):
    """The test cluster cannot do what was asked; the message says why and what to do about it."""
