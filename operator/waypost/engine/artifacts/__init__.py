"""Artifacts of attempts: what one takes is pinned at its launch (`taken`), what it made counts when
its records were read (`made`). May import `engine.state` and what is below the engine."""
