"""livegate as `docker compose up` runs it: needs a Docker engine; see `make test-containers`."""
