"""The admission webhook: fills in the names of users where a request has none, for API servers that
serve no MutatingAdmissionPolicy (docs/adr/0080-a-webhook-that-fills-in-names.md).

`core` decides, pure: the JSON Patch of a request; `app` is the HTTP interface, `registration` keeps
the CA in the MutatingWebhookConfiguration current, `main` is the composition root. The validating
policies judge what it writes, so it proves nothing. TLS and limits are those of `waypost.gateway`.
Nothing outside this package imports it, except the command `waypost admission`.
"""
