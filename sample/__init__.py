"""The last stage: draws pictures, and tells how new each of them is."""
