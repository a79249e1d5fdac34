"""`waypost memory`: what runs remember. One module per command; `entries` reads them, `forgetting`
and `transfer` write them."""
