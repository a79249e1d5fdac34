"""Make the documentation site: pages that are not in docs/, their links, and their order.

`hooks` is called by MkDocs. `places` says where a file of the repository is on the site, `nav`
orders the pages, `examples` and `reference` make pages from other files.
"""
