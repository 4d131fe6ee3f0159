using Sync.Engine.Resp;

namespace Sync.Micro.Operations;

/// <summary>Values to RESP, as the plan writes them.</summary>
sealed class EncodeOperation : Operation
{
    readonly RespWriter output = new(Rows * 200);
    readonly byte[] field = "updated_at"u8.ToArray(), value = "2026-01-01 00:00:00.123456+00"u8.ToArray();

    public override long Run()
    {
        output.Clear();
        for (int i = 0; i < Rows; i++)
        {
            output.ArrayHeader(6);
            output.Bulk("HSET"u8);
            output.Bulk(value);
            output.Bulk(field);
            output.Bulk(value);
            output.Bulk(field);
            output.BulkHeader(4);
            output.Number(1000 + i);
            output.Raw("\r\n"u8);
        }
        return output.Length;
    }
}
