"""What is held about people: finding, erasing, and how long it is kept."""
