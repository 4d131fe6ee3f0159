using Sync.Lanes;

// What the actors between the source and the writers cost: CPU seconds per million rows, with ports that do nothing.
// dotnet run -c Release --project bench/Sync.Lanes -- [--rows 1000000] [--keys 100000] [--batch 100] [--delay-ms 1] [--budget-mib 16] [--lanes 256] [--actor-from 16]
var options = LaneCostOptions.Parse(args);
Console.WriteLine(options);
Console.WriteLine($"rows put together only: {await LaneCost.PutTogetherAsync(options):F2} CPU s per million rows");
for (int round = 1; round <= 3; round++) Console.WriteLine(await LaneCost.MeasureAsync(options));
