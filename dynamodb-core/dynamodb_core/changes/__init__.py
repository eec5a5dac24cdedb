"""Change streams as a source of items: what was written and deleted, shard by shard.

A stream is a forest of shards. A shard is read from its place to its end, and its children only after
it. Two services are read alike: DynamoDB Streams, and Kinesis Data Streams for DynamoDB.

::

    shards       what a shard is, and where the read of one goes on
    service      what both services can do
    streams      DynamoDB Streams            kinesis   Kinesis Data Streams
    records      an answer's records as changes
    positions    where the read of a whole stream stands
    follower     all shards, read up to a moment, parents before children
    alternation  a snapshot and a stream in turn, so that nothing is lost between them
    enabling     streams that are off
"""
