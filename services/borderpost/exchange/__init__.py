"""Files of watchlist entries, read row by row into messages of the protocol and written from them."""
