"""Where things are kept: a party's folder, the coordinator's tables."""
