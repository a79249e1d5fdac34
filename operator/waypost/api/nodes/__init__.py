"""Parts of a node that its kinds share: `artifacts`. May import `api.base` and
`protocol`."""
