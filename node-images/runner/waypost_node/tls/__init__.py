"""TLS to the gateways: `trust` is whom the pod trusts, `words` what a failed handshake means."""
