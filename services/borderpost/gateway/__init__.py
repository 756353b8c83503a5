"""The gateway: the one way in. Coordinates the services, decides by policy, answers after the commit."""
