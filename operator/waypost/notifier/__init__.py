"""The notifier: the service that sends messages about runs, Approvals and schedules to webhooks, as
the chart values `notifications` say (docs/notifications.md).

`core` decides, pure: what has occurred, what a message says, what is due; `feed` lists and
watches, `sender` posts, `state` keeps what was delivered in a ConfigMap, `courier` serves one sink,
`service` joins them, `main` is the composition root. It never imports `waypost.engine` or
`waypost.runtime`: it reads, and writes nothing but its state.
"""
