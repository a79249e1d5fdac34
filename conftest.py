"""Plugins of every test run: what failed, how long tests took, what workers share, and
the garbage of their import."""

pytest_plugins = ("tests.failures", "tests.durations", "tests.sharing", "tests.collecting")
