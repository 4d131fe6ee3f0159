using Sync.Postgres.Wire;

namespace Sync.Postgres.Tests.Wire;

public class ScramSha256Tests
{
    // The exchange of RFC 7677, section 3.
    const string nonce = "rOprNGfwEbeRWgbNEkqO";
    const string serverFirst = $"r={nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    static ScramSha256 Login() => new("pencil", nonce: nonce, user: "user");

    [Fact]
    public void Exchange_should_be_that_of_the_standard()
    {
        var scram = Login();
        scram.First.ShouldBe($"n,,n=user,r={nonce}");
        scram.Final(serverFirst).ShouldBe($"c=biws,r={nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        Should.NotThrow(() => scram.Verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    }

    [Theory]
    [InlineData("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")]
    [InlineData("v=")]
    [InlineData("e=other-error")]
    [InlineData("")]
    public void A_server_that_does_not_prove_itself_should_be_refused(string final)
    {
        var scram = Login();
        scram.Final(serverFirst);
        Should.Throw<FormatException>(() => scram.Verify(final));
    }

    [Fact]
    public void A_server_that_says_goodbye_before_it_was_asked_should_be_refused() => Should.Throw<FormatException>(() => Login().Verify("v="));

    [Theory]
    [InlineData("r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")]
    [InlineData($"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")]
    [InlineData($"r={nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0")]
    [InlineData($"r={nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=2000000000")]
    [InlineData($"r={nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==")]
    [InlineData($"r={nonce}x,s=?,i=4096")]
    [InlineData("")]
    public void A_first_message_that_breaks_the_protocol_should_be_refused(string first) => Should.Throw<FormatException>(() => Login().Final(first));

    [Fact]
    public void Channel_binding_should_be_named_and_signed()
    {
        var scram = new ScramSha256("pencil", bindingData: [1, 2, 3], nonce: nonce);
        scram.First.ShouldBe($"p=tls-server-end-point,,n=,r={nonce}");
        scram.Final(serverFirst).ShouldStartWith("c=" + Convert.ToBase64String([.. "p=tls-server-end-point,,"u8, 1, 2, 3]) + ",");
    }
}
