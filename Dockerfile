# syntax=docker/dockerfile:1
# The node, for one container or many: docker build -t actorsync .
# It reads /etc/actorsync/config.yaml and the ACTORSYNC_… variables, keeps nothing on disk, and needs /tmp to be writable.

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /source

# Petabridge.Cmd lets the command pbm inspect a node of a cluster. Behind a registry without its packages, leave it out by --build-arg PetabridgeCmd=false.
ARG PetabridgeCmd=true

# Projects first, so that packages are fetched again only when these change.
COPY Directory.Build.props Directory.Packages.props ./
COPY src/Sync.Contracts/Sync.Contracts.csproj src/Sync.Contracts/
COPY src/Sync.Engine/Sync.Engine.csproj src/Sync.Engine/
COPY src/Sync.Postgres/Sync.Postgres.csproj src/Sync.Postgres/
COPY src/Sync.Redis/Sync.Redis.csproj src/Sync.Redis/
COPY src/Sync.Actors/Sync.Actors.csproj src/Sync.Actors/
COPY src/Sync.Petabridge/Sync.Petabridge.csproj src/Sync.Petabridge/
COPY src/Sync.Node/Sync.Node.csproj src/Sync.Node/
RUN dotnet restore src/Sync.Node/Sync.Node.csproj -p:PetabridgeCmd=$PetabridgeCmd

# The node carries the shop of its demo.
COPY .editorconfig LICENSE ./
COPY examples/shop/ examples/shop/
COPY src/ src/
RUN dotnet publish src/Sync.Node/Sync.Node.csproj -c Release --no-restore -p:PetabridgeCmd=$PetabridgeCmd -o /app && cp LICENSE /app/

FROM mcr.microsoft.com/dotnet/aspnet:10.0
WORKDIR /app
COPY --from=build /app ./

# In a container the endpoint has to be reached from outside it; it has no authentication, so publish it on loopback only.
ENV ACTORSYNC_HTTP_HOST=0.0.0.0
# HTTP; the other nodes of a cluster.
EXPOSE 7717 7719
# The user "app" of the base image, by number, so that Kubernetes sees that it is not root.
USER 1654
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["/app/actorsync", "status"]
ENTRYPOINT ["/app/actorsync"]
CMD ["run"]
