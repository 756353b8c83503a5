"""A fault drill: travelers are screened while services are killed, paused, slowed and cut off; then all is checked."""
