"""alo-operator: durable promises for Kubernetes."""
