//! The fleet, as this replica sees it.

use serde_json::{Value, json};

use super::moment::rfc3339;
use crate::shared::{ReplicaView, Sharing};

/// Who else there is, and what each has found; null where nothing is shared.
pub(super) fn json(sharing: Option<&Sharing>) -> Value {
    let Some(sharing) = sharing else {
        return Value::Null;
    };
    json!({
        "name": sharing.name(),
        "connected": sharing.is_connected(),
        "replicas": sharing.replicas().iter().map(replica).collect::<Vec<_>>(),
    })
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
    })
}
