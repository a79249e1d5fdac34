"""A simulation of queues: Jobs that Kueue admits, holds and preempts."""
