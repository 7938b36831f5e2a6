"""The ground floor: the shared nouns (pictures, their origins, judgements) and the pack."""
