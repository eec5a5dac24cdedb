"""Singer target that writes DynamoDB tables and loses nothing."""
