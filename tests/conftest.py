import hypothesis

pytest_plugins = ["tests.support.tiers", "tests.support.fixtures"]

# No deadline: on a busy machine it measures the machine. A failure prints what makes it happen again anywhere.
hypothesis.settings.register_profile("alo", deadline=None, print_blob=True)
hypothesis.settings.load_profile("alo")
