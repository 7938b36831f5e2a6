"""What comes in from other formats: one file a format, into the catalogue or straight to a pack."""
