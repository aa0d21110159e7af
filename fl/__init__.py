"""Federated learning: real tables, networks, local training, and the parties of a secure round.

This package uses ``crypto`` and ``contracts``; it knows neither the web application nor its
database, and importing it opens no file and no connection.
"""
