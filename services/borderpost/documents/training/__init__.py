"""Training of the network that reads a line of the machine readable zone, on drawn lines only.

`python -m borderpost.documents.training` runs it; it needs the extra `train`. No service imports this package.
"""
