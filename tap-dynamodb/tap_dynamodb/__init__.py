"""Singer tap that reads DynamoDB tables, fast and without loss."""
