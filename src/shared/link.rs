//! One connection to the server: over it messages go both ways, and it is agreed who tries what may have healed.
//!
//! Of several servers the first that answers is taken: in a cluster all nodes pass messages on to each other. Our few keys lie in
//! one slot, and a node that does not have it names the one that has. Sentinels name the server themselves.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, Value,
};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::bounded::{Bounded, Unread};
use super::claims::{Claim, LEASE, Step};
use crate::config::{RedisUrl, Secret, SharedConfig};

/// How long the server may take for one thing.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many messages wait to be read.
const ROOM: usize = 256;
/// So often a node of a cluster may name another one.
const MOVES: usize = 4;
/// The longest reason that is told, in characters.
const LONGEST_REASON: usize = 200;

/// Where the server is, and how to reach it.
pub(super) struct Servers {
    urls: Vec<RedisUrl>,
    sentinel: Option<String>,
    sentinel_password: Option<Secret>,
    tls: Arc<ClientConfig>,
    fleet: String,
}

/// Why the server cannot be reached, or is lost.
#[derive(Debug, Error)]
pub(super) enum LinkError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{}", shortened(.0))]
    Redis(#[from] redis::RedisError),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
    #[error("the connection has ended")]
    Ended,
    #[error("the sentinels know no `{0}`")]
    Unknown(String),
    #[error("the nodes of the cluster name each other")]
    Circle,
}

/// What the library and the server say, cut off: it is the server that chooses the words.
fn shortened(error: &redis::RedisError) -> String {
    let words = error.to_string();
    let plain = words.chars().filter(|c| !c.is_control());
    plain.take(LONGEST_REASON).collect()
}

/// An open connection.
pub(super) struct Link {
    connection: MultiplexedConnection,
    unread: Unread,
    messages: mpsc::Receiver<Incoming>,
    /// Where it leads.
    pub(super) server: String,
    fleet: String,
    /// What drives the connection; it ends with this.
    _driver: JoinSet<()>,
}

/// What comes.
pub(super) enum Incoming {
    /// A message.
    Message(Vec<u8>),
    /// Messages before it were lost, because they came too fast.
    Overrun,
}

impl Servers {
    pub(super) fn new(config: &SharedConfig, tls: ClientConfig) -> Self {
        Self {
            urls: config.servers(),
            sentinel: config.sentinel.clone(),
            sentinel_password: config.sentinel_password.clone(),
            tls: Arc::new(tls),
            fleet: config.fleet.clone(),
        }
    }

    /// Connects to the first server that works.
    pub(super) async fn connect(&self) -> Result<Link, LinkError> {
        let mut failure = LinkError::Ended;
        for url in &self.urls {
            let connected = match &self.sentinel {
                None => self.follow(url.clone()).await,
                Some(master) => self.through_sentinel(url, master).await,
            };
            match connected {
                Ok(link) => return Ok(link),
                Err(why) => failure = why,
            }
        }
        Err(failure)
    }

    async fn through_sentinel(&self, sentinel: &RedisUrl, master: &str) -> Result<Link, LinkError> {
        let alone = RedisUrl {
            user: None,
            password: self.sentinel_password.clone(),
            database: 0,
            ..sentinel.clone()
        };
        let asking = async {
            let mut link = self.open(&alone, ProtocolVersion::RESP2).await?;
            let mut command = redis::cmd("SENTINEL");
            command.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
            let known: Option<(String, u16)> = link.ask(&command).await?;
            known.ok_or_else(|| LinkError::Unknown(master.to_owned()))
        };
        let (host, port) = timeout(PATIENCE, asking)
            .await
            .map_err(|_| LinkError::Late)??;
        self.follow(RedisUrl {
            host,
            port,
            ..sentinel.clone()
        })
        .await
    }

    /// Connects, and goes where a cluster has our keys.
    async fn follow(&self, mut url: RedisUrl) -> Result<Link, LinkError> {
        for _ in 0..MOVES {
            let opening = async {
                let mut link = self.open(&url, ProtocolVersion::RESP3).await?;
                let found = link.hello().await;
                Ok((link, found))
            };
            let opened: Result<_, LinkError> = timeout(PATIENCE, opening)
                .await
                .map_err(|_| LinkError::Late)?;
            let (mut link, found) = opened?;
            match found {
                Ok(()) => {
                    timeout(PATIENCE, link.subscribe())
                        .await
                        .map_err(|_| LinkError::Late)??;
                    return Ok(link);
                }
                Err(LinkError::Redis(error)) if error.redirect_node().is_some() => {
                    let (address, _) = error.redirect_node().unwrap_or_default();
                    url = moved(&url, address).ok_or(LinkError::Circle)?;
                }
                Err(other) => return Err(other),
            }
        }
        Err(LinkError::Circle)
    }

    async fn open(&self, url: &RedisUrl, protocol: ProtocolVersion) -> Result<Link, LinkError> {
        let mut account = RedisConnectionInfo::default()
            .set_protocol(protocol)
            .set_db(url.database)
            .set_lib_name("backstop", env!("CARGO_PKG_VERSION"));
        if let Some(user) = &url.user {
            account = account.set_username(user);
        }
        if let Some(password) = &url.password {
            account = account.set_password(password.expose());
        }
        let (unread, (push, messages)) = (Unread::default(), mpsc::channel(ROOM));
        let mut config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        if protocol == ProtocolVersion::RESP3 {
            config = config.set_push_sender(pass_on(push, unread.clone()));
        }
        let tcp = TcpStream::connect((url.host.as_str(), url.port)).await?;
        tcp.set_nodelay(true)?;
        let mut driver = JoinSet::new();
        let connection = if url.is_secure {
            let name = ServerName::try_from(url.host.clone()).map_err(io::Error::other)?;
            let tls = TlsConnector::from(Arc::clone(&self.tls));
            let stream = Bounded::new(tls.connect(name, tcp).await?, unread.clone());
            let (connection, driving) =
                MultiplexedConnection::new_with_config(&account, stream, config).await?;
            driver.spawn(driving);
            connection
        } else {
            let stream = Bounded::new(tcp, unread.clone());
            let (connection, driving) =
                MultiplexedConnection::new_with_config(&account, stream, config).await?;
            driver.spawn(driving);
            connection
        };
        unread.clear();
        Ok(Link {
            connection,
            unread,
            messages,
            server: url.to_string(),
            fleet: self.fleet.clone(),
            _driver: driver,
        })
    }
}

/// Where a node of a cluster has moved us. A node that does not know its own name leaves the host out.
fn moved(url: &RedisUrl, address: &str) -> Option<RedisUrl> {
    let (host, port) = address.rsplit_once(':')?;
    let host = match host {
        "" => &url.host,
        host => host,
    };
    Some(RedisUrl {
        host: host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned(),
        port: port.parse().ok()?,
        ..url.clone()
    })
}

/// Passes messages on, as long as there is room.
fn pass_on(
    to: mpsc::Sender<Incoming>,
    unread: Unread,
) -> impl Fn(PushInfo) -> Result<(), TrySendError<Incoming>> + Send + Sync + 'static {
    move |push| {
        unread.clear();
        let (PushKind::Message, Some(Value::BulkString(text))) =
            (push.kind, push.data.into_iter().nth(1))
        else {
            return Ok(());
        };
        // The last place is for saying that others are lost.
        match to.capacity() {
            0 => Ok(()),
            1 => to.try_send(Incoming::Overrun),
            _ => to.try_send(Incoming::Message(text)),
        }
    }
}

impl Link {
    /// The next message; `None`: the connection has ended.
    pub(super) async fn next(&mut self) -> Option<Incoming> {
        self.messages.recv().await
    }

    /// Tells all replicas something.
    pub(super) async fn publish(&mut self, message: &[u8]) -> Result<(), LinkError> {
        let mut command = redis::cmd("PUBLISH");
        command.arg(self.channel()).arg(message);
        let _: i64 = self.ask(&command).await?;
        Ok(())
    }

    /// Settles a claim of this replica. Whether it has the right to try the scope now.
    pub(super) async fn claim(&mut self, claim: &Claim, node: u64) -> Result<bool, LinkError> {
        let key = self.key(claim.scope);
        match claim.step {
            Step::Take | Step::Keep => {
                let mut command = redis::cmd("SET");
                command.arg(key).arg(node).arg("PX").arg(lease_ms());
                if claim.step == Step::Take {
                    command.arg("NX");
                }
                let set: Value = self.ask(&command).await?;
                Ok(set == Value::Okay)
            }
            Step::GiveBack => {
                let mut command = redis::cmd("DEL");
                command.arg(key);
                let _: i64 = self.ask(&command).await?;
                Ok(false)
            }
        }
    }

    /// Makes sure that this server has our keys, and lets us write.
    async fn hello(&mut self) -> Result<(), LinkError> {
        let mut command = redis::cmd("SET");
        command.arg(self.key(0)).arg(0).arg("PX").arg(1000);
        let _: Value = self.ask(&command).await?;
        Ok(())
    }

    async fn subscribe(&mut self) -> Result<(), LinkError> {
        let channel = self.channel();
        Ok(self.connection.subscribe(channel).await?)
    }

    async fn ask<T: redis::FromRedisValue>(
        &mut self,
        command: &redis::Cmd,
    ) -> Result<T, LinkError> {
        let answer = command.query_async(&mut self.connection).await;
        self.unread.clear();
        Ok(answer?)
    }

    fn channel(&self) -> String {
        format!("backstop.{}.1", self.fleet)
    }

    /// What stands in braces decides in which slot of a cluster it lies.
    fn key(&self, scope: u64) -> String {
        format!("{{backstop.{}}}.trial.{scope:016x}", self.fleet)
    }
}

/// How long a trial may last, in milliseconds.
fn lease_ms() -> u64 {
    LEASE.as_millis() as u64
}
