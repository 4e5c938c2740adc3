//! What `tollway inspect --json` prints: one document for programs.

use super::conflict::{Conflict, conflicts};
use super::print::errors;
use super::syntax::{marks, signature, templates, type_name};
use super::{Subject, waits};
use serde_json::{Value, json};
use tollway_host_api::Field;

/// The document for programs.
pub(crate) fn json(subject: &Subject) -> Value {
    let abi = &subject.abi;
    let named = |fields: &[Field]| -> Vec<Value> {
        fields
            .iter()
            .map(|field| json!({ "name": field.name, "type": type_name(&field.ty) }))
            .collect()
    };
    let methods = abi.methods.iter().map(|method| {
        json!({
            "name": method.name,
            "signature": signature(method),
            "marks": marks(method),
            "params": named(&method.params),
            "returns": type_name(&method.returns),
            "access": templates(abi, method),
        })
    });
    let storage = abi.storage.iter().map(|field| {
        let key: Vec<_> = field.key.iter().map(type_name).collect();
        json!({ "name": field.name, "key": key, "value": type_name(&field.value), "counter": field.counter })
    });
    let events = abi
        .events
        .iter()
        .map(|event| json!({ "name": event.name, "fields": named(&event.fields) }));
    json!({
        "name": abi.name,
        "source": subject.source,
        "bytes": subject.bytes,
        "code_hash": subject.code_hash,
        "abi_version": abi.version,
        "immutables": named(&abi.immutables),
        "methods": methods.collect::<Vec<_>>(),
        "storage": storage.collect::<Vec<_>>(),
        "events": events.collect::<Vec<_>>(),
        "errors": errors(abi),
        "conflicts": conflicts(&subject.abis()).iter().map(conflict_json).collect::<Vec<_>>(),
    })
}

fn conflict_json(conflict: &Conflict) -> Value {
    let meetings = conflict.meetings.iter().map(|meeting| {
        let on = meeting.on.iter().map(|shared| {
            let modes = shared.modes.map(|(a, b)| [a.name(), b.name()]);
            json!({ "field": shared.field, "modes": modes })
        });
        json!({
            "when": meeting.when,
            "or": meeting.or,
            "on": on.collect::<Vec<_>>(),
            "waits": waits(meeting),
        })
    });
    json!({ "a": conflict.a, "b": conflict.b, "meetings": meetings.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixture::subject;

    #[test]
    fn the_document_has_the_same_parts() {
        let document = json(&subject());
        assert_eq!(document["methods"][0]["access"][1], "add balances[to]");
        assert_eq!(document["storage"][0]["counter"], true);
        let conflict = &document["conflicts"][0];
        assert_eq!((&conflict["a"], &conflict["b"]), (&"transfer".into(), &"transfer".into()));
        assert_eq!(conflict["meetings"][0]["when"][0], "a.caller = b.caller");
        assert_eq!(conflict["meetings"][0]["on"][0]["modes"][0], "write");
    }
}
