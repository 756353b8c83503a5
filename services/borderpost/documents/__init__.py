"""Documents: reads a travel document's page and judges it (ICAO Doc 9303, BSI TR-03135)."""
