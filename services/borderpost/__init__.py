"""Borderpost: biometric traveler screening for border crossings, as gRPC microservices."""
