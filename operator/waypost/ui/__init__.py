"""The web interface on one's own kubeconfig: `waypost ui`.

    command   the command and its options
    server    the parts, and the HTTP server
    hosting   what both servers have: HTTP server, pages, prefix
    guard     which requests are answered: host, origin, session, read-only
    session   the one-time link, and what a browser holds after it
    feed      one list and watch a kind, shared by all browsers
    runs      documents of one run, shared by browsers that ask at the same time
    api       the JSON API
    lists     pages of the lists
    answering answers to questions
    rounds    requests for a new round
    stream    the stream of changes
    assets    the built front-end, made by `make ui`
    shared    the server for many people: `waypost ui serve`

It has no rights: each request to the API server is made with the credentials of the person who
started it, or who looks. May import `views`, and of the command line `connection`, `reading`,
`errors` and `options`. The command line finds it by name only.
"""
