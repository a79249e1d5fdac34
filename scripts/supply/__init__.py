"""What others wrote and our images contain, from the lock files: `locked` lists it, `licences`
checks its licences, `audit` asks for known vulnerabilities, `sbom` writes a bill of materials for
each image (docs/adr/0072-supply-chain.md)."""
