//! Memory: idle, while many streams are open, and after them.

use std::time::Duration;

use tokio::time::sleep;

use super::client::Speaker;
use super::provider::RELEASED;
use super::table::Table;
use super::work::{Api, Kind};
use super::{Proxy, Size};

/// Notes the memory before any work.
pub(crate) fn idle(proxies: &[Proxy], table: &mut Table) {
    for proxy in proxies.iter().filter(|proxy| proxy.who.is_plain()) {
        table.put("memory, idle", proxy.who, mib(proxy), "MiB");
    }
}

/// Opens many streams at each proxy, one after the other, and notes what they take and what they leave.
pub(crate) async fn streams(proxies: &[Proxy], size: Size, table: &mut Table) {
    let proxies: Vec<&Proxy> = proxies
        .iter()
        .filter(|proxy| proxy.who.is_plain())
        .collect();
    for proxy in &proxies {
        let before = proxy.program.resident_kib();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..size.streams {
            let address = proxy.program.address;
            tasks.spawn(async move {
                let mut speaker = Speaker::connect(address).await;
                speaker.ask(Kind::Open, Api::Chat, None, number).await;
            });
            // No queue of connections is to overflow.
            if number % 100 == 99 {
                sleep(Duration::from_millis(100)).await;
            }
        }
        sleep(Duration::from_secs(3)).await;
        let taken = proxy.program.resident_kib().saturating_sub(before);
        table.put(
            "memory for an open stream",
            proxy.who,
            taken as f64 / size.streams as f64,
            "KiB",
        );
        RELEASED.add_permits(size.streams);
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
    }
    sleep(size.settles).await;
    for proxy in &proxies {
        table.put("memory after all streams", proxy.who, mib(proxy), "MiB");
    }
}

fn mib(proxy: &Proxy) -> f64 {
    proxy.program.resident_kib() as f64 / 1024.0
}
