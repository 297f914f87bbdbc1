"""The loads, one module each: what is asked of the cluster, and what is read off afterwards."""
