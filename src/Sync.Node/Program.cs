return await Sync.Node.Commands.CommandLine.RunAsync(args);
