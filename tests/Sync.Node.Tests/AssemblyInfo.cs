// Most tests wait for servers and processes, so four collections at a time keep two cores busy (measured: docs/contributing.md).
[assembly: CollectionBehavior(MaxParallelThreads = 4)]
