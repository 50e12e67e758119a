//! Messages as their protocol writes them, as far as it is known here.

use serde_json::Value;

/// A message, from the JSON that stands in the trace: `SET lock 7 NX PX 5000`.
pub(super) fn words(message: &Value) -> String {
    // Outermost stands whether the lock or the store is spoken to, which its receiver says already.
    let inner = message.as_object().and_then(|wire| wire.values().next()).unwrap_or(message);
    let (name, body) = match inner {
        Value::Object(tagged) => match tagged.iter().next() {
            Some((name, body)) => (name.as_str(), body),
            None => return String::new(),
        },
        Value::String(name) => (name.as_str(), &Value::Null),
        other => return other.to_string(),
    };
    known(name, body).unwrap_or_else(|| generic(name, body))
}

fn known(name: &str, body: &Value) -> Option<String> {
    let field = |key: &str| plain(&body[key]);
    Some(match name {
        "set-nx-px" => format!("SET lock {} NX PX {}", field("value"), field("ttl_ms")),
        "del" => format!("DEL lock (on behalf of grant {})", field("on_behalf")),
        "del-if-equal" => format!("DEL lock if it is {}", field("value")),
        "done" => "OK".to_owned(),
        "nothing" => "nil".to_owned(),
        "select-for-update" => format!("SELECT … FOR UPDATE (attempt {})", field("attempt")),
        "select" => format!("SELECT … (attempt {})", field("attempt")),
        "commit" => format!("COMMIT (attempt {})", field("attempt")),
        "rollback" => format!("ROLLBACK (attempt {})", field("attempt")),
        "update" | "update-alone" | "write" => {
            let verb = if name == "write" { "write" } else { "UPDATE …" };
            format!(
                "{verb} of order {} ({} of {}, grant {})",
                field("order"),
                field("units"),
                plain(&body["read"]["count"]),
                field("grant")
            )
        }
        "read" => format!("read for order {} (grant {})", field("order"), field("grant")),
        "row" => format!("row: count {}, version {}", field("count"), field("version")),
        _ => return None,
    })
}

/// `keep-alive (session 3, ttl 5000)`.
fn generic(name: &str, body: &Value) -> String {
    let name = name.replace('-', " ");
    match body {
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{} {}", key.replace('_', " "), plain(value))).collect();
            format!("{name} ({})", fields.join(", "))
        }
        Value::Null => name,
        value => format!("{name} ({})", plain(value)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

/// The grant that a message names, if it names one.
pub(super) fn grant(message: &Value) -> Option<u32> {
    let inner = message.as_object()?.values().next()?;
    let body = inner.as_object()?.values().next()?;
    let number = ["grant", "value", "on_behalf", "attempt"].iter().find_map(|key| body.get(key)?.as_u64())?;
    u32::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_read_as_their_protocol_writes_them() {
        let set = json!({"lock": {"set-nx-px": {"value": 7, "ttl_ms": 5000}}});
        assert_eq!((words(&set).as_str(), grant(&set)), ("SET lock 7 NX PX 5000", Some(7)));
        assert_eq!(words(&json!({"lock": "nothing"})), "nil");
        assert_eq!(words(&json!({"lock": {"keep-alive": {"session": 3}}})), "keep alive (session 3)");
    }
}
