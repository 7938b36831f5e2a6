"""Learning: a diffusion model from a pack, counted in images seen, resumable to the bit."""
