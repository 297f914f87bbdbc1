"""The gateway: what workers report becomes status, under the rights of nobody but the gateway."""
