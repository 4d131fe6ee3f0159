Console.WriteLine("actorsync 0.1.0");
