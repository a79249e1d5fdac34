"""The report of a run as one HTML file: no script, no request, all text escaped.

`page` puts it together; `graph`, `timeline` and `nodes` make its parts, `markup` escapes.
"""
