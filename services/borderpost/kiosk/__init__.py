"""The kiosk's side: a client library for the gateway."""
