"""TLS of both gateways: `authorities` makes CAs and certificates, `secret` keeps the CAs, `files`
reads a certificate that others make, `serving` keeps that of a running server current
(docs/adr/0065-tls-of-the-gateways.md).
"""
