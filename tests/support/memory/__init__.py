"""The parts of the API server in memory: `tests.support.memory_api` puts them together."""
