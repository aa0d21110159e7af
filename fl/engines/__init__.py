"""Engines carry messages between the coordinator and the parties; they hold no protocol."""
