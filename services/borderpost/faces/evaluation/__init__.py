"""How well the engines recognise faces, and what their scores mean: evaluation and calibration.

`python -m borderpost.faces.evaluation --help`.
"""
