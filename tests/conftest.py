pytest_plugins = ["tests.support.tiers", "tests.support.fixtures"]
