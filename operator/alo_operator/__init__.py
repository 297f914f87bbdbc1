"""alo-operator: durable promises for Kubernetes."""

from typing import Final

__version__: Final = "0.1.0"
