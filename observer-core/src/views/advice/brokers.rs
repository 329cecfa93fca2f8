//! Clients of message brokers. Their connections are long-lived. Each thread or task gets a channel, a subscription or
//! a producer, all on one connection.

use super::client::{Client, Idle, OTHER};
use crate::runtime::Runtime;

const ANY: Client = Client {
    ask: "send",
    asked: "messages",
    answer: "message",
    read: Some("end the subscription first, and take what has been delivered"),
    causes: "a connection for each message or task; a client for each task that is closed",
    shared: "connection",
    batch: "send several at once, or keep a client running",
    idle: Idle::KeptBy("pings", None),
    ..OTHER
};

pub(super) fn amqp(runtime: Runtime) -> Client {
    let heartbeats = |setting| Idle::KeptBy("heartbeats", Some(setting));
    let any = Client {
        causes: "a connection for each message or task, instead of a channel of one that stays; a client for each task that is closed",
        share: Some("with a channel for each thread or task"),
        idle: Idle::KeptBy("heartbeats", None),
        ..ANY
    };
    match runtime {
        Runtime::Go(_) => Client {
            causes: "an amqp.Dial() for each message or task; Close() of the connection instead of the channel",
            share: Some("an amqp.Connection is made to be shared, with a Channel() for each goroutine"),
            idle: heartbeats("Heartbeat of amqp.Config"),
            ..any
        },
        Runtime::Python | Runtime::Pycurl => Client {
            causes: "a pika.BlockingConnection() for each message or task; broker_pool_limit = 0 (Celery)",
            pool_size: "broker_pool_limit of Celery (10 unless set)",
            share: Some("one pika.BlockingConnection() for each thread, and its channel for all that this sends"),
            idle: heartbeats("heartbeat of pika.ConnectionParameters"),
            ..any
        },
        Runtime::Java => Client {
            causes: "a newConnection() for each message or task; close() of the Connection instead of the Channel",
            share: Some("one newConnection() of the ConnectionFactory, with a createChannel() for each thread"),
            idle: heartbeats("setRequestedHeartbeat of the ConnectionFactory"),
            ..any
        },
        Runtime::Node => Client {
            causes: "a connect() of amqplib for each message or task; close() of the connection instead of the channel",
            share: Some("one connect() of amqplib, with a createChannel() for each task"),
            idle: heartbeats("heartbeat in the URL of amqplib"),
            ..any
        },
        Runtime::DotNet => Client {
            causes: "a CreateConnectionAsync() for each message or task; an IConnection that is disposed instead of its channel",
            share: Some("one IConnection, with an IChannel (IModel before 7.0) for each thread"),
            idle: heartbeats("RequestedHeartbeat of the ConnectionFactory"),
            ..any
        },
        Runtime::Ruby => Client {
            causes: "a Bunny.new for each message or task; close of the connection instead of the channel",
            share: Some("one Bunny.new, with a create_channel for each thread"),
            idle: heartbeats("heartbeat of Bunny.new"),
            ..any
        },
        Runtime::Php => Client {
            causes: "an AMQPStreamConnection in each script, at whose end it is closed",
            share: Some("one AMQPStreamConnection for each worker, or pconnect() of the amqp extension"),
            idle: heartbeats("heartbeat of AMQPStreamConnection"),
            ..any
        },
        Runtime::Rust => Client {
            causes: "a lapin::Connection for each message or task, instead of a create_channel()",
            share: Some("one lapin::Connection, with a create_channel() for each task"),
            ..any
        },
        Runtime::Erlang => Client {
            causes: "an amqp_connection:start() for each message or task; a close of the connection instead of the channel",
            share: Some("one amqp_connection, with an amqp_connection:open_channel() for each process"),
            idle: heartbeats("heartbeat of #amqp_params_network{}"),
            ..any
        },
        Runtime::Perl | Runtime::Libcurl | Runtime::Unknown => any,
    }
}

pub(super) fn mqtt(runtime: Runtime) -> Client {
    let pings = |setting| Idle::KeptBy("pings", Some(setting));
    let any = Client { shared: "client", ..ANY };
    match runtime {
        Runtime::Go(_) => Client {
            causes: "an mqtt.NewClient() for each message or task; Disconnect() after each",
            share: Some("one mqtt.NewClient() of paho that stays connected"),
            idle: pings("SetKeepAlive of paho's ClientOptions, 30 s unless set"),
            ..any
        },
        Runtime::Python | Runtime::Pycurl => Client {
            causes: "publish.single() and its like (paho), which connect for each call; a Client for each message",
            share: Some("one Client of paho, with loop_start(), instead of publish.single()"),
            idle: pings("keepalive of paho's connect(), 60 s unless set"),
            ..any
        },
        Runtime::Java => Client {
            causes: "an MqttClient for each message or task; disconnect() after each",
            share: Some("one MqttClient of Paho that stays connected"),
            idle: pings("setKeepAliveInterval of MqttConnectOptions, 60 s unless set"),
            ..any
        },
        Runtime::Node => Client {
            causes: "an mqtt.connect() for each message or task; end() after each",
            share: Some("one mqtt.connect()"),
            idle: pings("keepalive of mqtt.connect(), 60 s unless set"),
            ..any
        },
        Runtime::DotNet => Client {
            causes: "an IMqttClient for each message or task; DisconnectAsync() after each",
            share: Some("one IMqttClient of MQTTnet"),
            idle: pings("WithKeepAlivePeriod of MQTTnet"),
            ..any
        },
        Runtime::Ruby => Client {
            causes: "an MQTT::Client.connect for each message or task",
            share: Some("one MQTT::Client that stays connected"),
            idle: pings("keep_alive of MQTT::Client"),
            ..any
        },
        Runtime::Php => Client {
            causes: "an MqttClient in each script, at whose end it is disconnected",
            share: Some("one PhpMqtt\\Client\\MqttClient in a worker that stays"),
            idle: pings("setKeepAliveInterval of ConnectionSettings"),
            ..any
        },
        Runtime::Rust => Client {
            causes: "a rumqttc::Client for each message or task",
            share: Some("a rumqttc::Client is made to be cloned"),
            idle: pings("MqttOptions::set_keep_alive"),
            ..any
        },
        Runtime::Erlang => Client {
            causes: "an emqtt:start_link() for each message or task",
            share: Some("one process of emqtt"),
            idle: pings("keepalive of emqtt:start_link()"),
            ..any
        },
        Runtime::Perl => Client {
            causes: "a Net::MQTT::Simple->new for each message or task",
            share: Some("one Net::MQTT::Simple->new"),
            ..any
        },
        Runtime::Libcurl | Runtime::Unknown => any,
    }
}

pub(super) fn nats(runtime: Runtime) -> Client {
    let pings = |setting| Idle::KeptBy("pings", Some(setting));
    match runtime {
        Runtime::Go(_) => Client {
            causes: "a nats.Connect() for each message or task; Close() or Drain() after each",
            share: Some("a nats.Conn is made to be shared"),
            idle: pings("nats.PingInterval, 2 minutes unless set"),
            ..ANY
        },
        Runtime::Python | Runtime::Pycurl => Client {
            causes: "a nats.connect() for each message or task; close() or drain() after each",
            share: Some("one nats.connect()"),
            idle: pings("ping_interval of nats.connect(), 120 s unless set"),
            ..ANY
        },
        Runtime::Java => Client {
            causes: "a Nats.connect() for each message or task",
            share: Some("one Nats.connect(), whose Connection is made to be shared"),
            idle: pings("pingInterval of Options.Builder"),
            ..ANY
        },
        Runtime::Node => Client {
            causes: "a connect() of nats for each message or task; close() or drain() after each",
            share: Some("one NatsConnection"),
            idle: pings("pingInterval of connect()"),
            ..ANY
        },
        Runtime::DotNet => Client {
            causes: "a NatsConnection or NatsClient for each message or task that is disposed",
            share: Some("one NatsConnection or NatsClient"),
            idle: pings("PingInterval of NatsOpts"),
            ..ANY
        },
        Runtime::Ruby => Client {
            causes: "a NATS.connect for each message or task; close or drain after each",
            share: Some("one NATS.connect"),
            ..ANY
        },
        Runtime::Rust => Client {
            causes: "an async_nats::connect() for each message or task",
            share: Some("an async_nats::Client is made to be cloned"),
            idle: pings("ConnectOptions::ping_interval"),
            ..ANY
        },
        _ => ANY,
    }
}

pub(super) fn kafka(runtime: Runtime) -> Client {
    let any = Client {
        causes: "a producer or consumer for each message or task that is closed",
        shared: "producer",
        server_timeout: "connections.max.idle.ms",
        idle: Idle::Dropped(None),
        ..ANY
    };
    match runtime {
        Runtime::Go(_) => Client {
            causes: "a kafka.Writer or a producer of sarama for each message or task that is closed",
            share: Some("one kafka.Writer, or one producer of sarama"),
            idle: Idle::Dropped(Some("IdleTimeout of kafka.Transport, 30 s unless set")),
            ..any
        },
        Runtime::Python | Runtime::Pycurl => Client {
            causes: "a KafkaProducer or a confluent_kafka.Producer for each message or task",
            share: Some("one KafkaProducer, or one confluent_kafka.Producer"),
            idle: Idle::Dropped(Some("connections_max_idle_ms of kafka-python")),
            ..any
        },
        Runtime::Java => Client {
            causes: "a KafkaProducer or a KafkaConsumer for each message or task; close() after each",
            share: Some("a KafkaProducer is made to be shared"),
            idle: Idle::Dropped(Some("its connections.max.idle.ms, 9 minutes unless set")),
            ..any
        },
        Runtime::Node => Client {
            causes: "connect() and disconnect() of a kafkajs producer around each message",
            share: Some("one producer of kafkajs that stays connected"),
            ..any
        },
        Runtime::DotNet => Client {
            causes: "an IProducer for each message or task; Dispose() after each",
            share: Some("one IProducer of Confluent.Kafka"),
            idle: Idle::Dropped(Some("ConnectionsMaxIdleMs of Confluent.Kafka")),
            ..any
        },
        Runtime::Ruby => Client {
            causes: "a producer of rdkafka or WaterDrop for each message or task",
            share: Some("one producer of rdkafka or WaterDrop"),
            ..any
        },
        Runtime::Php => Client {
            causes: "an RdKafka\\Producer in each script, at whose end it is closed",
            share: Some("one RdKafka\\Producer in a worker that stays"),
            ..any
        },
        Runtime::Rust => Client {
            causes: "a FutureProducer or BaseProducer of rdkafka for each message or task",
            share: Some("a FutureProducer of rdkafka is made to be cloned"),
            ..any
        },
        Runtime::Erlang => Client {
            causes: "a brod:start_client() for each message or task",
            share: Some("one client of brod"),
            ..any
        },
        Runtime::Perl | Runtime::Libcurl | Runtime::Unknown => any,
    }
}
