"""How a machine readable zone is found in a picture, straightened, cut into cells and read."""
