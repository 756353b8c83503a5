"""What every service stands on: settings, TLS, identity, access, errors, interceptors, outbox, serve()."""
