"""What the demo and the tests share: an engine of their own, tricky items, an independent comparison."""
