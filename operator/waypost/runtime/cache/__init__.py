"""What the watch delivered, in memory.

`ingest` puts it in, `runs` and `endpoints` hold it, `newest` compares versions; `runtime.resync`
corrects it by complete lists. A cache may lag: that an object is not in it never proves that the
object does not exist. May import `ports` and below, not `runtime.writes`.
"""
