// Allocation is measured over the whole process, and the machine that runs these has few cores: one test at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
