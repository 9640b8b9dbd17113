"""What Jeton is compared with: FF1 of other libraries, and what a team would write itself."""
