"""What the watch delivered, in memory.

`ingest` puts it in, `runs` and `endpoints` hold it, complete lists of `resync` correct it.
A cache may lag: that an object is not in it never proves that the object does not exist. May
import `ports` and below, not `runtime.writes`.
"""
