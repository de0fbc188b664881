"""Training sets in memory, and the map-style datasets over them."""
