"""The web interface in the cluster, for many people: `waypost ui serve`.

    command   the command and its options
    server    the parts, and the HTTP server
    entrance  whose request it is: the token of a proxy, or of a session
    logins    the sessions of people who have typed a token
    people    who is served now, each with the lists that only this person gets

It has no rights and no token: each request to the API server has the token of the person who sent
the request, so the API server decides and its audit log names this person. Nothing that was read
with one token is shown to another one.
"""
