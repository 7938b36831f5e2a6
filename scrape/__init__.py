"""The collecting stage: sources, manners and armour, from the web into the catalogue."""
