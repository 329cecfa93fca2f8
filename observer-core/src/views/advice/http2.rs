//! HTTP/2 clients, mostly gRPC. One connection carries many requests at once, so pools hold channels at most.

use super::client::{ANY, Client, Idle};
use crate::runtime::Runtime;

pub(super) fn client(runtime: Runtime) -> Client {
    let (causes, share, pings) = match runtime {
        Runtime::Go(_) => (
            "a grpc.NewClient() or grpc.Dial() for each call; an http2.Transport for each request",
            "one grpc.ClientConn, or one http2.Transport",
            "grpc.WithKeepaliveParams",
        ),
        Runtime::Node => (
            "a Client of @grpc/grpc-js or an http2.connect() for each call",
            "one Client of @grpc/grpc-js, or one session of http2.connect()",
            "grpc.keepalive_time_ms",
        ),
        Runtime::Python | Runtime::Pycurl => (
            "a grpc.insecure_channel() or grpc.secure_channel() for each call; an httpx.Client(http2=True) for each request",
            "one httpx.Client, or one channel of grpc",
            "grpc.keepalive_time_ms",
        ),
        Runtime::Java => (
            "a ManagedChannel or an HttpClient for each call",
            "a ManagedChannel or an HttpClient is made to be shared",
            "keepAliveTime() of ManagedChannelBuilder",
        ),
        Runtime::DotNet => (
            "a GrpcChannel or an HttpClient for each call",
            "a GrpcChannel or an HttpClient is made to be shared",
            "SocketsHttpHandler.KeepAlivePingDelay",
        ),
        Runtime::Rust => (
            "a Channel of tonic or a reqwest::Client for each call",
            "a Channel of tonic or a reqwest::Client is made to be cloned",
            "http2_keep_alive_interval",
        ),
        Runtime::Ruby => (
            "a Stub of GRPC for each call",
            "one Stub of GRPC, or several with one channel_override",
            "grpc.keepalive_time_ms",
        ),
        Runtime::Erlang => {
            return Client {
                causes: "a connection of Gun or Mint for each request",
                share: Some("one connection of Gun or Mint that is kept"),
                ..CHANNEL
            };
        }
        Runtime::Libcurl => {
            return Client {
                causes: "a handle for each request instead of one that is kept; a single URL for each command",
                share: Some("keep the handle, or share its connections (CURLSH)"),
                batch: "give curl several URLs, or --next between them",
                ..CHANNEL
            };
        }
        Runtime::Php | Runtime::Perl | Runtime::Unknown => return CHANNEL,
    };
    Client { causes, share: Some(share), idle: Idle::KeptBy("keep-alive pings", Some(pings)), ..CHANNEL }
}

const CHANNEL: Client = Client {
    causes: "a channel or client for each call",
    pool_size: "the number of connections that it keeps",
    shared: "channel or client",
    server_closes: "See in the server's log, and in its limits of age and idle time, why it ends connections so early",
    server_timeout: "idle timeout",
    idle: Idle::KeptBy("keep-alive pings", None),
    ..ANY
};
