"""Programs that the peers' environment runs; Borderpost never imports them."""
