"""Reads and writes DynamoDB tables: the data path, without any Singer in it."""
