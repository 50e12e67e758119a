//! JSON Schema (2020-12) of scenario and suite files, composed from the catalog. Editors use it to complete kinds of
//! fault, locks and keys.

use fencepost_models::Class;
use fencepost_sim::faults::{DurationRule, FaultInfo, Preset, TargetRule};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::catalog::Catalog;
use crate::file::{
    ByProperty, CaseKeys, Clients, Common, Explore, Head, LockKeys, Network, SuiteKeys, allowed, group_words,
    preset_keys,
};
use crate::property::Property;

/// Returns the schema of a scenario file.
pub fn scenario(catalog: &Catalog) -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = object::<Head>(&mut generator);
    schema["title"] = json!("A fencepost scenario");
    schema["description"] = json!("Clients, workload, network and faults for a set of locks.");
    schema["required"] = json!(["run_for"]);
    name_locks(&mut schema, catalog);
    let tables = [
        ("clients", object::<Clients>(&mut generator)),
        ("lock", lock(catalog, &mut generator)),
        ("workload", workload(catalog, &mut generator)),
        ("network", object::<Network>(&mut generator)),
        ("fault", fault(catalog, &mut generator)),
        ("expect", expect(catalog, &mut generator)),
        ("explore", object::<Explore>(&mut generator)),
        ("case", case(catalog, &mut generator)),
    ];
    for (table, keys) in tables {
        schema["properties"][table] = keys;
    }
    finish(schema, generator)
}

/// Returns the schema of a suite file.
pub fn suite(catalog: &Catalog) -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = object::<SuiteKeys>(&mut generator);
    schema["title"] = json!("A fencepost suite");
    name_locks(&mut schema, catalog);
    finish(schema, generator)
}

fn finish(mut schema: Value, mut generator: SchemaGenerator) -> Value {
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["$defs"] = Value::Object(generator.take_definitions(true));
    without_nulls(&mut schema);
    schema
}

/// Removes nulls, which TOML does not have, and joins the lines of doc comments.
fn without_nulls(schema: &mut Value) {
    let Value::Object(keys) = schema else {
        return schema.as_array_mut().into_iter().flatten().for_each(without_nulls);
    };
    if let Some(types) = keys.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            keys["type"] = only.clone();
        }
    }
    if keys.get("default").is_some_and(Value::is_null) {
        keys.remove("default");
    }
    if let Some(choices) = keys.get_mut("anyOf").and_then(Value::as_array_mut) {
        choices.retain(|choice| choice["type"] != "null");
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            keys.remove("anyOf");
            keys.extend(only);
        }
    }
    if let Some(Value::String(text)) = keys.get_mut("description") {
        *text = text.replace("\n\n", "\u{0}").replace('\n', " ").replace('\u{0}', "\n\n");
    }
    keys.iter_mut().for_each(|(_, value)| without_nulls(value));
}

/// Returns the schema of a table, inline instead of by reference, so callers can add keys.
fn object<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    composable(T::json_schema(generator))
}

fn composable(schema: Schema) -> Value {
    let mut value = schema.to_value();
    if !value.is_object() {
        value = json!({});
    }
    if !value["properties"].is_object() {
        value["properties"] = json!({});
    }
    value["type"] = json!("object");
    value["additionalProperties"] = json!(false);
    value
}

fn name_locks(schema: &mut Value, catalog: &Catalog) {
    let locks = &mut schema["properties"]["locks"];
    locks["items"] = lock_words(catalog);
    locks["minItems"] = json!(1);
    locks["uniqueItems"] = json!(true);
}

/// Returns the words allowed in a list of locks: names, classes, either with all variants (`:*`), and the exclusions of
/// all these.
fn lock_words(catalog: &Catalog) -> Value {
    let names = catalog.lock_formats().iter().map(|lock| lock.name().to_string());
    let words: Vec<String> = names.chain(Class::ALL.iter().map(|class| format!("@{}", class.name()))).collect();
    let all_variants = words.iter().map(|word| format!("{word}:*"));
    let variants = catalog.variant_formats().iter().map(|lock| lock.name().to_string());
    let included: Vec<String> = words.iter().cloned().chain(variants).chain(all_variants).collect();
    let excluded: Vec<String> = included.iter().map(|word| format!("!{word}")).collect();
    one_of(included.iter().chain(&excluded).map(String::as_str))
}

fn one_of<'n>(names: impl Iterator<Item = &'n str>) -> Value {
    json!({ "type": "string", "enum": names.collect::<Vec<_>>() })
}

fn lock(catalog: &Catalog, generator: &mut SchemaGenerator) -> Value {
    let mut schema = object::<LockKeys>(generator);
    for lock in catalog.lock_formats() {
        schema["properties"][lock.name()] = composable((lock.schema)(generator));
    }
    schema["not"] = json!({ "required": ["ttl", "effective"] });
    schema
}

fn workload(catalog: &Catalog, generator: &mut SchemaGenerator) -> Value {
    let tables: Map<String, Value> = (catalog.workload_formats().iter())
        .map(|workload| (workload.name.to_string(), composable((workload.schema)(generator))))
        .collect();
    json!({
        "type": "object",
        "description": "The workload of the clients. A scenario has exactly one.",
        "properties": tables,
        "additionalProperties": false,
        "maxProperties": 1,
    })
}

fn fault(catalog: &Catalog, generator: &mut SchemaGenerator) -> Value {
    let common = object::<Common>(generator);
    let kinds: Map<String, Value> = (catalog.faults().iter())
        .map(|kind| {
            let mut one = one_fault(kind.info, &common, composable((kind.schema)(generator)));
            if !kind.info.presets.is_empty() {
                add_presets(&mut one, kind.info.presets);
            }
            (kind.info.name.to_string(), json!({ "type": "array", "description": kind.info.about, "items": one }))
        })
        .collect();
    json!({
        "type": "object",
        "description": "The faults, each under its kind: [[fault.KIND]].",
        "properties": kinds,
        "additionalProperties": false,
    })
}

/// Adds the key `preset` and describes its choices. Keys that presets set are not required with a preset.
fn add_presets(fault: &mut Value, presets: &[Preset]) {
    let described: Vec<String> =
        presets.iter().map(|preset| format!("`{}`: {} ({})", preset.name, preset.about, preset.source)).collect();
    let mut schema = one_of(presets.iter().map(|preset| preset.name));
    schema["description"] = json!(format!("Sets the omitted keys. {}", described.join("; ")));
    fault["properties"]["preset"] = schema;
    let given =
        |key: &Value| presets.iter().any(|preset| preset_keys(preset).get(key.as_str().unwrap_or("")).is_some());
    let required = fault["required"].as_array().cloned().unwrap_or_default();
    let (given, required): (Vec<Value>, Vec<Value>) = required.into_iter().partition(given);
    fault["required"] = json!(required);
    if !given.is_empty() {
        fault["allOf"] = json!([{ "anyOf": [{ "required": ["preset"] }, { "required": given }] }]);
    }
}

/// Returns the schema of a kind's own keys and the shared keys that it may have.
fn one_fault(kind: &FaultInfo, common: &Value, mut own: Value) -> Value {
    for key in allowed(kind) {
        own["properties"][key] = common["properties"][key].clone();
    }
    for key in ["target", "from", "to"] {
        if let Some(node) = own["properties"].get_mut(key) {
            node["examples"] = group_words().chain(["client-1", "store"]).collect();
        }
    }
    let mut required: Vec<Value> = own["required"].as_array().cloned().unwrap_or_default();
    if kind.duration == DurationRule::Required {
        required.push(json!("lasts"));
    }
    match kind.target {
        TargetRule::Nodes => required.push(json!("target")),
        TargetRule::Links => {
            let between =
                [json!({ "required": ["from"] }), json!({ "required": ["to"] }), json!({ "required": ["both_ways"] })];
            own["anyOf"] = json!([
                { "required": ["target"], "not": { "anyOf": between } },
                { "required": ["from", "to"], "not": { "required": ["target"] } },
            ]);
        }
        TargetRule::Leader | TargetRule::Own => {}
    }
    own["required"] = json!(required);
    own["oneOf"] = json!([{ "required": ["at"] }, { "required": ["every"] }, { "required": ["on"] }]);
    own
}

fn expect(catalog: &Catalog, generator: &mut SchemaGenerator) -> Value {
    let properties = property_expectations();
    let mut keys: Map<String, Value> =
        catalog.lock_formats().iter().map(|lock| (lock.name().to_string(), properties.clone())).collect();
    let mut by_property = object::<ByProperty>(generator);
    for verdict in ["violated", "holds"] {
        by_property["properties"][verdict]["items"] = lock_words(catalog);
    }
    keys.extend(Property::ALL.iter().map(|property| (property.name().to_string(), by_property.clone())));
    json!({
        "type": "object",
        "description": "The expected verdicts, by lock or by property. Properties without an entry are free.",
        "properties": keys,
        "additionalProperties": false,
    })
}

fn property_expectations() -> Value {
    let properties: Map<String, Value> = (Property::ALL.into_iter())
        .map(|property| {
            let verdict = json!({ "description": property.about(), "enum": ["violated", "holds"] });
            (property.name().to_string(), verdict)
        })
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn case(catalog: &Catalog, generator: &mut SchemaGenerator) -> Value {
    let mut schema = object::<CaseKeys>(generator);
    schema["properties"]["lock"]["enum"] = catalog.lock_names().chain(catalog.variant_names()).collect();
    schema["properties"]["expect"] = property_expectations();
    schema
}
