//! The fleet, as this replica sees it: who there is, what each has found and counted, and what all have together.

use serde_json::{Map, Value, json};

use super::moment::rfc3339;
use crate::history::WINDOWS;
use crate::shared::{Figures, Had, Outage, ReplicaView, Sharing};

/// Who else there is, and what each has found and counted; null where nothing is shared.
pub(super) fn json(sharing: Option<&Sharing>) -> Value {
    let Some(sharing) = sharing else {
        return Value::Null;
    };
    let (own, replicas) = (sharing.figures(), sharing.replicas());
    let others = replicas
        .iter()
        .filter_map(|replica| replica.figures.as_ref());
    let mut sum = own.clone();
    for other in others {
        sum.get_or_insert_default().add(other);
    }
    json!({
        "name": sharing.name(),
        "connected": sharing.is_connected(),
        "figures": figures(own.as_ref()),
        "together": figures(sum.as_ref()),
        "replicas": replicas.iter().map(replica).collect::<Vec<_>>(),
        "gone": sharing.missed().iter()
            .map(|(name, received)| json!({"name": name, "heard_at": rfc3339(*received)}))
            .collect::<Vec<_>>(),
    })
}

/// The incidents that other replicas have told of, each with the name of its replica. Those of this one are not among them.
pub(super) fn incidents(sharing: &Sharing) -> Vec<Value> {
    let replicas = sharing.replicas();
    let all = replicas.iter().flat_map(|replica| {
        let outages = replica
            .figures
            .iter()
            .flat_map(|figures| &figures.incidents);
        outages.map(|outage| incident(outage, &replica.name))
    });
    all.collect()
}

fn replica(replica: &ReplicaView) -> Value {
    let out = replica.out.iter().map(|(scope, cause)| {
        json!({
            "upstream": scope.upstream.as_ref(),
            "model": scope.model.as_deref(),
            "because": cause,
        })
    });
    json!({
        "name": replica.name,
        "node": format!("{:016x}", replica.node),
        "started_at": rfc3339(replica.up),
        "heard_at": rfc3339(replica.received),
        "out": out.collect::<Vec<_>>(),
        "figures": figures(replica.figures.as_ref()),
    })
}

/// Null where nothing is known.
fn figures(figures: Option<&Figures>) -> Value {
    let Some(figures) = figures else {
        return Value::Null;
    };
    let upstreams = figures.upstreams.iter();
    let upstreams =
        upstreams.map(|(name, had)| json!({"name": name.as_ref(), "windows": windows(had)}));
    json!({
        "clients": windows(&figures.clients),
        "upstreams": upstreams.collect::<Vec<_>>(),
    })
}

fn windows(had: &[Had]) -> Value {
    let named = WINDOWS.iter().zip(had);
    let named: Map<String, Value> = named
        .map(|((name, _), (requests, failed))| {
            let had = json!({"requests": requests, "failed": failed});
            ((*name).to_owned(), had)
        })
        .collect();
    Value::Object(named)
}

fn incident(outage: &Outage, replica: &str) -> Value {
    let scope = outage.scope.as_ref();
    json!({
        "id": null,
        "replica": replica,
        "upstream": scope.map(|scope| scope.upstream.as_ref()),
        "model": scope.and_then(|scope| scope.model.as_deref()),
        "cause": outage.cause,
        "words": null,
        "started_at": rfc3339(outage.began),
        "ended_at": outage.ended.map(rfc3339),
        "requests": outage.requests,
        "moved": outage.moved,
        "noticed": outage.noticed,
    })
}
