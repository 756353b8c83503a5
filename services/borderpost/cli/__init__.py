"""The `borderpost` command. Reaches the services through their protos only."""
