"""Change streams as a source of items: what was written and deleted, shard by shard.

A stream is a forest of shards. A shard is read from its place to its end, and its children only after
it. Two services are read alike: DynamoDB Streams, and Kinesis Data Streams for DynamoDB.

::

    shards       what a shard is, and where the read of one goes on
    service      what both services can do
    streams      DynamoDB Streams            kinesis   Kinesis Data Streams
    listing      shards as pages list them: doubts, and parents first
    records      an answer's records as changes
    kinesis_*    likewise of Kinesis: its calls, its records, what a run has seen of its shards
    newest       the newest write of each key, where changes come twice or out of order
    destinations which Kinesis streams a table's changes go to
    lost         how it is told that changes are gone
    forest       the shards that listings have told of so far
    positions    where the read of a whole stream stands
    shard_reader one visit of a shard: its answers as blocks
    follower     all shards, read up to a moment, parents before children
    alternation  a snapshot and a stream in turn, so that nothing is lost between them
    enabling     streams that are off
"""
