"""What an enemy sends, in bulk: malformed requests and slow connections against a real service."""
