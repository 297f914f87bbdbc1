import os

import hypothesis

pytest_plugins = [f"tests.support.{name}" for name in ("tiers", "fixtures", "stages", "in_cluster")]

# No deadline: on a busy machine it measures the machine. A failure prints what makes it happen again anywhere.
# `make test` tries the same cases each time, so that it speaks of the change at hand; `make test-full` explores.
hypothesis.settings.register_profile("alo", deadline=None, print_blob=True, derandomize="ALO_EXPLORE" not in os.environ)
hypothesis.settings.load_profile("alo")
