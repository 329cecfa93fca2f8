//! Clients of PostgreSQL and MySQL. Most runtimes have one pool for both, with a driver for each.

use super::client::{Client, Idle, OTHER};
use crate::runtime::Runtime;

pub(super) fn postgresql(runtime: Runtime) -> Client {
    let client = match runtime {
        Runtime::Go(_) => GO,
        Runtime::Python | Runtime::Pycurl => Client {
            pool_size: "pool_size of SQLAlchemy (5 unless set; what max_overflow allows is closed after use), or min_size of psycopg_pool",
            share: Some("one engine of SQLAlchemy, or one ConnectionPool of psycopg_pool"),
            ..PYTHON
        },
        Runtime::Java => JAVA,
        Runtime::Node => Client {
            causes: "a pg.Client for each task instead of a pg.Pool; release(true); idleTimeoutMillis (10 s unless set) that is short",
            pool_size: "max of the pg.Pool (10 unless set)",
            share: Some("one pg.Pool"),
            idle: Idle::Dropped(Some("idleTimeoutMillis of the pg.Pool, 10 s unless set")),
            ..ANY
        },
        Runtime::Ruby => Client {
            causes: "a PG.connect for each task; establish_connection for each request; remove_connection after it",
            ..RUBY
        },
        Runtime::Php => Client {
            causes: "pg_connect() or PDO in each script, at whose end the connection is closed, instead of pg_pconnect() or PDO::ATTR_PERSISTENT",
            pool_size: "pgsql.max_persistent, if it is set",
            share: Some("a persistent one (pg_pconnect(), PDO::ATTR_PERSISTENT)"),
            ..PHP
        },
        Runtime::DotNet => Client {
            causes: "Pooling=false; an NpgsqlDataSource for each task; a connection string for each user or task, which has a pool of its own",
            pool_size: "Minimum Pool Size in Npgsql's connection string, up to Maximum Pool Size (100 unless set)",
            share: Some("one NpgsqlDataSource"),
            idle: Idle::Dropped(Some("Connection Idle Lifetime in Npgsql's connection string, 300 s unless set")),
            ..ANY
        },
        Runtime::Rust => Client {
            causes: "PgConnection::connect() for each task instead of a PgPool; a pool for each task",
            pool_size: "min_connections of sqlx's PgPoolOptions, up to max_connections (10 unless set)",
            share: Some("a PgPool of sqlx is made to be cloned"),
            idle: Idle::Dropped(Some("PgPoolOptions::idle_timeout, 10 minutes unless set")),
            ..ANY
        },
        Runtime::Erlang => {
            Client { causes: "epgsql:connect() for each task instead of a pool; a pool that is full", ..ERLANG }
        }
        Runtime::Perl => PERL,
        Runtime::Libcurl | Runtime::Unknown => ANY,
    };
    Client { server_timeout: "idle_session_timeout", ..client }
}

pub(super) fn mysql(runtime: Runtime) -> Client {
    let client = match runtime {
        Runtime::Go(_) => GO,
        Runtime::Python | Runtime::Pycurl => PYTHON,
        Runtime::Java => JAVA,
        Runtime::Node => Client {
            causes: "createConnection() for each task instead of createPool(); a pool that is full (maxIdle); destroy() instead of release()",
            pool_size: "maxIdle and connectionLimit of mysql2's createPool() (10 unless set)",
            share: Some("one createPool() of mysql2"),
            idle: Idle::Dropped(Some("idleTimeout of mysql2's createPool(), 60 s unless set")),
            ..ANY
        },
        Runtime::Ruby => Client {
            causes: "a Mysql2::Client.new for each task; establish_connection for each request; remove_connection after it",
            ..RUBY
        },
        Runtime::Php => Client {
            causes: "mysqli or PDO in each script, at whose end the connection is closed, instead of 'p:' before mysqli's host or PDO::ATTR_PERSISTENT",
            pool_size: "mysqli.max_persistent, if it is set",
            share: Some("a persistent one ('p:' before mysqli's host, PDO::ATTR_PERSISTENT)"),
            ..PHP
        },
        Runtime::DotNet => Client {
            causes: "Pooling=false; a MySqlDataSource for each task; a connection string for each user or task, which has a pool of its own",
            pool_size: "Minimum Pool Size in MySqlConnector's connection string, up to Maximum Pool Size (100 unless set)",
            share: Some("one MySqlDataSource, or one connection string for all"),
            idle: Idle::Dropped(Some(
                "Connection Idle Timeout in MySqlConnector's connection string, 180 s unless set",
            )),
            ..ANY
        },
        Runtime::Rust => Client {
            causes: "MySqlConnection::connect() for each task instead of a MySqlPool; a pool for each task",
            pool_size: "min_connections of sqlx's MySqlPoolOptions, up to max_connections (10 unless set)",
            share: Some("a MySqlPool of sqlx is made to be cloned"),
            idle: Idle::Dropped(Some("MySqlPoolOptions::idle_timeout, 10 minutes unless set")),
            ..ANY
        },
        Runtime::Erlang => {
            Client { causes: "mysql:start_link() for each task instead of a pool; a pool that is full", ..ERLANG }
        }
        Runtime::Perl => PERL,
        Runtime::Libcurl | Runtime::Unknown => ANY,
    };
    Client { server_timeout: "wait_timeout", ..client }
}

const ANY: Client = Client {
    asked: "queries",
    answer: "result",
    read: Some("take all rows, or ask for fewer"),
    causes: "a connection for each query or task instead of a pool; a pool for each task; a pool that is full",
    shared: "pool",
    batch: "batch the queries, or keep a pool in a process that stays",
    ..OTHER
};

const GO: Client = Client {
    read: Some("let rows.Next() run to its end, and do not cancel the context before"),
    causes: "an sql.DB for each task that is closed; a pool that is full (SetMaxIdleConns, 2 unless set); SetConnMaxIdleTime or SetConnMaxLifetime that is short",
    pool_size: "DB.SetMaxIdleConns (2 unless set), up to DB.SetMaxOpenConns",
    share: Some("an sql.DB is made to be shared"),
    idle: Idle::Dropped(Some("DB.SetConnMaxIdleTime")),
    ..ANY
};

const PYTHON: Client = Client {
    causes: "a connect() for each task; an engine or NullPool for each task (SQLAlchemy); CONN_MAX_AGE = 0 (Django); a pool that is full (pool_size)",
    pool_size: "pool_size of SQLAlchemy (5 unless set; what max_overflow allows, 10 unless set, is closed after use)",
    share: Some("one engine of SQLAlchemy"),
    idle: Idle::Dropped(Some("pool_recycle of SQLAlchemy")),
    ..ANY
};

const JAVA: Client = Client {
    causes: "DriverManager.getConnection() for each task instead of a DataSource with a pool; a HikariDataSource for each task; a pool that shrinks (minimumIdle)",
    pool_size: "minimumIdle of HikariCP, up to maximumPoolSize (10 unless set)",
    share: Some("one HikariDataSource or its like"),
    idle: Idle::Dropped(Some("idleTimeout of HikariCP, 10 minutes unless set")),
    ..ANY
};

const RUBY: Client = Client {
    pool_size: "pool of ActiveRecord, in database.yml (5 unless set)",
    share: Some("that of ActiveRecord, or a ConnectionPool of clients"),
    idle: Idle::Dropped(Some("idle_timeout of ActiveRecord, 300 s unless set")),
    ..ANY
};

/// PHP has no pools: a worker keeps a connection from script to script.
const PHP: Client =
    Client { shared: "connection", batch: "batch the queries, or run the scripts in a worker that stays", ..ANY };

const ERLANG: Client = Client {
    pool_size: "pool_size of the Ecto repository (10 unless set)",
    share: Some("one Ecto repository, or one of poolboy"),
    ..ANY
};

const PERL: Client = Client {
    causes: "DBI->connect for each task instead of DBI->connect_cached; disconnect after each",
    shared: "connection",
    share: Some("DBI->connect_cached, or Apache::DBI"),
    ..ANY
};
