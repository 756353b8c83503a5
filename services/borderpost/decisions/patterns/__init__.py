"""What recent screenings and a new one say together: for an officer to judge, never an outcome by itself."""
