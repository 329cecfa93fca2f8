//! Clients of protocols with sessions: mail, files, directories, shells, WebSockets; and of name servers. Few have a pool,
//! because one session does many things in sequence.

use super::client::{Client, Idle, OTHER};
use crate::runtime::Runtime;

const ANY: Client = Client { shared: "session", ..OTHER };

/// libcurl speaks it too, with the same handle.
const LIBCURL_PARTS: (&str, &str) =
    ("a handle for each instead of one that is kept; CURLOPT_FORBID_REUSE", "keep the handle (curl_easy_init() once)");

pub(super) fn ldap(runtime: Runtime) -> Client {
    let any = Client {
        asked: "operations",
        answer: "result",
        causes: "a connection for each search or bind; a client for each task that unbinds; a pool that is full",
        shared: "connection",
        ..ANY
    };
    match runtime {
        Runtime::Go(_) => {
            Client { causes: "an ldap.DialURL() for each search or bind", share: Some("one ldap.Conn"), ..any }
        }
        Runtime::Python | Runtime::Pycurl => Client {
            causes: "a Connection of ldap3 or an ldap.initialize() for each search or bind; unbind() after each",
            pool_size: "pool_size of ldap3 (client_strategy=REUSABLE)",
            share: Some("one Connection of ldap3 (client_strategy=REUSABLE for threads), or one ldap.initialize()"),
            idle: Idle::Dropped(Some("pool_lifetime of ldap3")),
            ..any
        },
        Runtime::Java => Client {
            causes: "an InitialDirContext for each search without com.sun.jndi.ldap.connect.pool; a pool that is full",
            pool_size: "com.sun.jndi.ldap.connect.pool.prefsize and .maxsize",
            shared: "pool",
            share: Some("com.sun.jndi.ldap.connect.pool=true, or one LDAPConnectionPool"),
            idle: Idle::Dropped(Some("com.sun.jndi.ldap.connect.pool.timeout")),
            ..any
        },
        Runtime::Node => Client {
            causes: "a Client of ldapts or ldapjs for each search or bind; unbind() after each",
            share: Some("one Client of ldapts or ldapjs"),
            ..any
        },
        Runtime::DotNet => Client {
            causes: "an LdapConnection for each search or bind; Dispose() after each",
            share: Some("one LdapConnection"),
            ..any
        },
        Runtime::Ruby => Client {
            causes: "Net::LDAP#search outside of a block of Net::LDAP.open, which connects for each call",
            share: Some("one block of Net::LDAP.open around them"),
            ..any
        },
        Runtime::Php => Client {
            causes: "an ldap_connect() in each script, at whose end it is closed",
            share: Some("one ldap_connect() for all that a script asks"),
            ..any
        },
        Runtime::Rust => Client {
            causes: "an LdapConnAsync for each search or bind",
            share: Some("one LdapConnAsync, whose Ldap is made to be cloned"),
            ..any
        },
        Runtime::Erlang => {
            Client { causes: "an eldap:open() for each search or bind", share: Some("one eldap:open()"), ..any }
        }
        Runtime::Perl => {
            Client { causes: "a Net::LDAP->new for each search or bind", share: Some("one Net::LDAP->new"), ..any }
        }
        Runtime::Libcurl | Runtime::Unknown => any,
    }
}

pub(super) fn smtp(runtime: Runtime) -> Client {
    let any = Client {
        ask: "send",
        asked: "messages",
        answer: "reply",
        causes: "a session for each message; a client for each task that quits",
        batch: "send several in one session, or hand them to a local mail server that does",
        ..ANY
    };
    match runtime {
        Runtime::Go(_) => Client {
            causes: "smtp.SendMail(), which connects for each message; Quit() after each",
            share: Some("one smtp.Client, with Reset() between messages"),
            ..any
        },
        Runtime::Python | Runtime::Pycurl => Client {
            causes: "smtplib.SMTP() and quit() around each message; send_mail() of Django for each, instead of send_messages()",
            share: Some("one smtplib.SMTP(), with a send_message() for each"),
            ..any
        },
        Runtime::Java => Client {
            causes: "Transport.send(), which connects for each message",
            share: Some("one connected Transport, with a sendMessage() for each"),
            ..any
        },
        Runtime::Node => Client {
            causes: "a transport of nodemailer without pool: true; a createTransport() for each message",
            pool_size: "maxConnections of nodemailer (5 unless set)",
            share: Some("one createTransport() of nodemailer with pool: true"),
            ..any
        },
        Runtime::DotNet => Client {
            causes: "an SmtpClient for each message; Disconnect() or Dispose() after each",
            share: Some("one SmtpClient of MailKit that stays connected"),
            ..any
        },
        Runtime::Ruby => Client {
            causes: "Net::SMTP.start around each message; deliver_now of ActionMailer, which connects for each",
            share: Some("one Net::SMTP.start block around them"),
            ..any
        },
        Runtime::Php => Client {
            causes: "PHPMailer without SMTPKeepAlive; mail() or a mailer for each message",
            share: Some("PHPMailer with SMTPKeepAlive, or one Mailer of Symfony"),
            ..any
        },
        Runtime::Rust => Client {
            causes: "an SmtpTransport of lettre for each message; lettre without its feature pool",
            pool_size: "PoolConfig::max_size of lettre (10 unless set)",
            share: Some("one SmtpTransport of lettre, which has a pool"),
            idle: Idle::Dropped(Some("PoolConfig::idle_timeout of lettre, 60 s unless set")),
            ..any
        },
        Runtime::Erlang => Client {
            causes: "gen_smtp_client:send() for each message, which connects for each",
            share: Some("one gen_smtp_client:open(), with a gen_smtp_client:deliver() for each"),
            ..any
        },
        Runtime::Perl => Client {
            causes: "a Net::SMTP->new for each message; quit after each",
            share: Some("one Net::SMTP->new, with reset between messages"),
            ..any
        },
        Runtime::Libcurl => Client { causes: LIBCURL_PARTS.0, share: Some(LIBCURL_PARTS.1), ..any },
        Runtime::Unknown => any,
    }
}

pub(super) fn ftp(runtime: Runtime) -> Client {
    let any = Client {
        asked: "transfers",
        answer: "reply",
        causes: "a session for each file; a client for each task that quits",
        batch: "transfer several files in one session",
        ..ANY
    };
    let of = |causes, share| Client { causes, share: Some(share), ..any };
    match runtime {
        Runtime::Go(_) => of("an ftp.Dial() for each file; Quit() after each", "one ftp.ServerConn"),
        Runtime::Python | Runtime::Pycurl => of("an ftplib.FTP() for each file; quit() after each", "one ftplib.FTP()"),
        Runtime::Java => of("an FTPClient for each file; disconnect() after each", "one FTPClient"),
        Runtime::Node => of("a Client of basic-ftp for each file; close() after each", "one Client of basic-ftp"),
        Runtime::DotNet => of(
            "FtpWebRequest.KeepAlive = false; an FtpClient for each file",
            "FtpWebRequest.KeepAlive, or one FtpClient",
        ),
        Runtime::Ruby => of("a Net::FTP.open for each file", "one block of Net::FTP.open around them"),
        Runtime::Php => of("an ftp_connect() or an ftp:// URL for each file", "one ftp_connect()"),
        Runtime::Rust => of("an FtpStream for each file; quit() after each", "one FtpStream"),
        Runtime::Erlang => of("an ftp:open() for each file", "one ftp:open()"),
        Runtime::Perl => of("a Net::FTP->new for each file; quit after each", "one Net::FTP->new"),
        Runtime::Libcurl => of(LIBCURL_PARTS.0, LIBCURL_PARTS.1),
        Runtime::Unknown => any,
    }
}

/// With an unknown runtime it is nearly always OpenSSH, and the advice says so.
pub(super) fn ssh(runtime: Runtime) -> Client {
    let any = Client {
        ask: "run",
        asked: "commands",
        answer: "response",
        causes: "a connection for each command or file; a client for each task that disconnects",
        shared: "connection",
        batch: "run several in one session",
        idle: Idle::KeptBy("keep-alives", None),
        ..ANY
    };
    let of = |causes, share, setting| Client {
        causes,
        share: Some(share),
        idle: Idle::KeptBy("keep-alives", setting),
        ..any
    };
    match runtime {
        Runtime::Go(_) => of("an ssh.Dial() for each command", "one ssh.Client, with a NewSession() for each", None),
        Runtime::Python | Runtime::Pycurl => of(
            "an SSHClient of paramiko for each command; close() after each",
            "one SSHClient of paramiko, with an exec_command() for each",
            Some("Transport.set_keepalive of paramiko"),
        ),
        Runtime::Java => of(
            "a Session of JSch for each command; disconnect() after each",
            "one Session of JSch, with an openChannel() for each",
            Some("setServerAliveInterval of JSch"),
        ),
        Runtime::Node => of(
            "a Client of ssh2 for each command; end() after each",
            "one Client of ssh2, with an exec() for each",
            Some("keepaliveInterval of ssh2"),
        ),
        Runtime::DotNet => of(
            "an SshClient for each command; Dispose() after each",
            "one SshClient of SSH.NET, with a RunCommand() for each",
            Some("KeepAliveInterval of SSH.NET"),
        ),
        Runtime::Ruby => of(
            "a Net::SSH.start for each command",
            "one block of Net::SSH.start, with an exec! for each",
            Some("keepalive_interval of Net::SSH"),
        ),
        Runtime::Php => of(
            "a phpseclib3\\Net\\SSH2 or an ssh2_connect() for each command",
            "one phpseclib3\\Net\\SSH2 or one ssh2_connect()",
            None,
        ),
        Runtime::Rust => of(
            "a session of russh or ssh2 for each command",
            "one session of russh or ssh2, with a channel of it for each",
            None,
        ),
        Runtime::Erlang => of(
            "an ssh:connect() for each command",
            "one ssh:connect(), with an ssh_connection:session_channel() for each",
            None,
        ),
        Runtime::Perl => of(
            "a Net::OpenSSH->new or a Net::SSH2->new for each command",
            "one Net::OpenSSH->new or one Net::SSH2->new",
            None,
        ),
        Runtime::Libcurl => Client { causes: LIBCURL_PARTS.0, share: Some(LIBCURL_PARTS.1), ..any },
        Runtime::Unknown => Client {
            share: Some("with OpenSSH, ControlMaster auto and ControlPersist"),
            batch: "run several in one session, or, with OpenSSH, share a connection (ControlMaster auto, ControlPersist)",
            idle: Idle::KeptBy("keep-alives", Some("with OpenSSH, ServerAliveInterval")),
            ..any
        },
    }
}

/// Hardly any resolver can be configured to keep its TCP connection.
pub(super) const DNS: Client = Client {
    asked: "queries",
    answer: "reply",
    causes: "a connection for each query, as most resolvers do over TCP; a resolver for each task",
    shared: "connection",
    batch: "cache the answers, or ask a local resolver that keeps its connections",
    ..ANY
};

pub(super) fn websocket(runtime: Runtime) -> Client {
    let any = Client {
        ask: "send",
        asked: "messages",
        answer: "message",
        causes: "a socket for each message or task, instead of one that stays open; a page or process that ends",
        shared: "socket",
        batch: "keep the socket open in a process that stays",
        idle: Idle::KeptBy("pings", None),
        ..ANY
    };
    let pings = |setting| Client { idle: Idle::KeptBy("pings", Some(setting)), ..any };
    match runtime {
        Runtime::Go(_) => pings("WriteControl() of gorilla/websocket"),
        Runtime::Python | Runtime::Pycurl => pings("ping_interval of websockets, 20 s unless set"),
        Runtime::Node => pings("ping() of ws"),
        Runtime::Java => pings("pingInterval of OkHttp"),
        Runtime::DotNet => pings("ClientWebSocket.Options.KeepAliveInterval"),
        _ => any,
    }
}
