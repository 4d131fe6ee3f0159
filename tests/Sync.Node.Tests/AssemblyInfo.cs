// Most tests wait for servers and processes, so four collections at a time keep two cores busy (measured).
[assembly: CollectionBehavior(MaxParallelThreads = 4)]
