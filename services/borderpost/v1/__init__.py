"""Generated from protos/borderpost/v1 by `make proto`; never edited."""
