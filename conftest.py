"""Plugins of every test run: what failed, how long tests took, and what workers share."""

pytest_plugins = ("tests.failures", "tests.durations", "tests.sharing")
