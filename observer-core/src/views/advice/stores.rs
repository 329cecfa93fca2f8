//! Clients of Redis, memcached and MongoDB: one client object per process, which has a pool or multiplexes one connection.

use super::client::{Client, Idle, OTHER};
use crate::runtime::Runtime;

const ANY: Client = Client {
    asked: "commands",
    answer: "reply",
    causes: "a connection for each command or task; a client for each task that is closed; a pool that is full",
    batch: "batch the commands, or keep a client running",
    ..OTHER
};

pub(super) fn redis(runtime: Runtime) -> Client {
    let any = Client { server_timeout: "timeout (in redis.conf)", ..ANY };
    match runtime {
        Runtime::Go(_) => Client {
            causes: "a redis.NewClient() for each task that is closed; a pool that is full (PoolSize, MaxIdleConns)",
            pool_size: "PoolSize and MinIdleConns of go-redis, and MaxIdleConns if it is set",
            share: Some("a redis.Client of go-redis is made to be shared"),
            idle: Idle::Dropped(Some("ConnMaxIdleTime of go-redis, 30 minutes unless set")),
            ..any
        },
        Runtime::Python | Runtime::Pycurl => Client {
            causes: "a redis.Redis() for each task, which has a pool of its own; close() or 'with' around each task",
            pool_size: "max_connections of the ConnectionPool",
            share: Some("one redis.Redis(), or one ConnectionPool for all of them"),
            ..any
        },
        Runtime::Node => Client {
            causes: "a createClient() or a new Redis() for each task; quit() after each",
            share: Some("one createClient() of node-redis, or one new Redis() of ioredis"),
            ..any
        },
        Runtime::Java => Client {
            causes: "a Jedis for each task instead of a JedisPool; a pool that is full (maxIdle, 8 unless set)",
            pool_size: "maxIdle and maxTotal of the JedisPool (8 unless set)",
            share: Some("one JedisPool, or one StatefulRedisConnection of Lettuce"),
            idle: Idle::Dropped(Some("minEvictableIdleTime of JedisPoolConfig")),
            ..any
        },
        Runtime::Ruby => Client {
            causes: "a Redis.new for each task; close or quit after each",
            pool_size: "the size of the ConnectionPool",
            share: Some("one Redis.new, or a ConnectionPool of them"),
            ..any
        },
        Runtime::Php => Client {
            causes: "connect() in each script, at whose end the connection is closed, instead of pconnect() (phpredis) or 'persistent' => true (Predis)",
            pool_size: "redis.pconnect.connection_limit of phpredis, if it is set",
            shared: "connection",
            share: Some("pconnect() of phpredis, or 'persistent' => true of Predis"),
            ..any
        },
        Runtime::DotNet => Client {
            causes: "a ConnectionMultiplexer.Connect() for each task; Dispose() after each",
            share: Some("one ConnectionMultiplexer of StackExchange.Redis"),
            ..any
        },
        Runtime::Rust => Client {
            causes: "a connection of redis::Client for each task; a pool that is full (max_size)",
            pool_size: "max_size of the pool (r2d2, bb8, deadpool)",
            share: Some("one MultiplexedConnection or ConnectionManager, which are made to be cloned"),
            idle: Idle::Dropped(Some("idle_timeout of r2d2 or bb8")),
            ..any
        },
        Runtime::Erlang => Client {
            causes: "an eredis:start_link() or a Redix.start_link for each task",
            share: Some("one process of eredis or Redix"),
            ..any
        },
        Runtime::Perl => {
            Client { causes: "a Redis->new for each task; quit after each", share: Some("one Redis->new"), ..any }
        }
        Runtime::Libcurl | Runtime::Unknown => any,
    }
}

pub(super) fn memcached(runtime: Runtime) -> Client {
    let any = Client { server_timeout: "idle_timeout (-o idle_timeout)", ..ANY };
    match runtime {
        Runtime::Go(_) => Client {
            causes: "a memcache.New() for each task; a pool that is full (MaxIdleConns, 2 unless set)",
            pool_size: "MaxIdleConns of gomemcache (2 unless set)",
            share: Some("a memcache.Client is made to be shared"),
            ..any
        },
        Runtime::Python | Runtime::Pycurl => Client {
            causes: "a Client of pymemcache for each task that is closed; a PooledClient that is full (max_pool_size)",
            pool_size: "max_pool_size of pymemcache's PooledClient",
            share: Some("one PooledClient of pymemcache"),
            idle: Idle::Dropped(Some("pool_idle_timeout of pymemcache's PooledClient")),
            ..any
        },
        Runtime::Node => Client {
            causes: "a memjs.Client.create() for each task; quit() after each",
            share: Some("one memjs.Client.create()"),
            ..any
        },
        Runtime::Java => Client {
            causes: "a MemcachedClient for each task; shutdown() after each",
            share: Some("one MemcachedClient, which is made to be shared"),
            ..any
        },
        Runtime::Ruby => Client {
            causes: "a Dalli::Client.new for each task; close after each",
            pool_size: "the size of the pool: option of Dalli::Client",
            share: Some("one Dalli::Client, with a pool: for threads"),
            ..any
        },
        Runtime::Php => Client {
            causes: "a new Memcached() without a persistent_id, whose connections are closed at the end of each script",
            shared: "connection",
            share: Some("new Memcached() with a persistent_id"),
            ..any
        },
        _ => any,
    }
}

/// All drivers are used in the same way, and the options of the URI have the same names in each.
pub(super) fn mongodb(runtime: Runtime) -> Client {
    let any = Client { asked: "operations", batch: "batch the operations, or keep a client running", ..ANY };
    match runtime {
        Runtime::Go(_) => Client {
            causes: "a mongo.Connect() for each task; Disconnect() after each; a pool that shrinks (SetMaxConnIdleTime)",
            pool_size: "SetMinPoolSize, up to SetMaxPoolSize (100 unless set)",
            share: Some("a mongo.Client is made to be shared"),
            idle: Idle::Dropped(Some("SetMaxConnIdleTime")),
            ..any
        },
        Runtime::Python | Runtime::Pycurl | Runtime::Node | Runtime::Java => Client {
            causes: "a MongoClient for each task; close() after each; a pool that shrinks (maxIdleTimeMS)",
            pool_size: "minPoolSize of the MongoClient, up to maxPoolSize (100 unless set)",
            share: Some("a MongoClient is made to be shared"),
            idle: Idle::Dropped(Some("maxIdleTimeMS")),
            ..any
        },
        Runtime::DotNet => Client {
            causes: "a MongoClient for each task with settings of its own; a pool that shrinks (MaxConnectionIdleTime)",
            pool_size: "MinConnectionPoolSize of the MongoClient, up to MaxConnectionPoolSize (100 unless set)",
            share: Some("a MongoClient is made to be shared"),
            idle: Idle::Dropped(Some("MaxConnectionIdleTime")),
            ..any
        },
        Runtime::Ruby => Client {
            causes: "a Mongo::Client.new for each task; close after each; a pool that shrinks (max_idle_time)",
            pool_size: "min_pool_size of the Mongo::Client, up to max_pool_size",
            share: Some("a Mongo::Client is made to be shared"),
            idle: Idle::Dropped(Some("max_idle_time")),
            ..any
        },
        Runtime::Php => Client {
            causes: "a MongoDB\\Client with options of its own in each script; a process for each script",
            share: Some("a MongoDB\\Client of the same URI and options, whose connections the worker keeps"),
            ..any
        },
        Runtime::Rust => Client {
            causes: "a mongodb::Client for each task; a pool that shrinks (max_idle_time)",
            pool_size: "min_pool_size of the mongodb::Client, up to max_pool_size",
            share: Some("a mongodb::Client is made to be cloned"),
            idle: Idle::Dropped(Some("max_idle_time")),
            ..any
        },
        _ => any,
    }
}
