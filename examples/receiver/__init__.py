"""A receiver of callbacks, in one file."""
