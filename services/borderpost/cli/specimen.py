"""`borderpost specimen`: make a page to try things with."""
