"""The ingress: the service that takes HTTP requests of other systems, such as webhooks, and makes
WorkflowEvents of them, as EventSources say (docs/webhooks.md).

`core` decides, pure; `directory` and `keys` read EventSources and Secrets; `deliveries` handles one
request; `app` is the HTTP interface, `main` the composition root. It never imports `waypost.engine`
or `waypost.runtime`: it creates events, and nothing else.
"""
