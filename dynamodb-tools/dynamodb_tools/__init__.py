"""What is done before and after a move of DynamoDB tables: plan, compare, repair, generate."""
